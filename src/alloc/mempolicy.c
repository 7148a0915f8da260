/* SPDX-License-Identifier: MIT */
/*
 * NUMA memory policies: a policy becomes a preferred node and a nodemask, and the request is made
 * once or twice. (policy_nodemask, alloc_pages_mpol)
 */
#include <pagus/mempolicy.h>

#include "alloc/alloc.h"
#include "alloc/request.h"

/* The first of `nodes`, which are not none, from `from` on, round the end. */
static uint32_t node_from(uint64_t nodes, uint32_t from)
{
	uint64_t above = from < PAGUS_MAX_NODES ? nodes & UINT64_MAX << from : 0;

	return (uint32_t)__builtin_ctzll(above ? above : nodes);
}

static uint32_t weight(const struct pagus_mempolicy *policy, uint32_t node)
{
	if (policy->mode != PAGUS_MPOL_WEIGHTED_INTERLEAVE || policy->weights[node] == 0)
		return 1;
	return policy->weights[node];
}

/* Whose turn it is. A node keeps its turn until it has had it as often as it weighs. */
static uint32_t rotate(struct pagus_mempolicy *policy, uint64_t nodes)
{
	bool again = policy->left > 0 && policy->next > 0 && policy->next <= PAGUS_MAX_NODES &&
		     (nodes >> (policy->next - 1) & 1);
	uint32_t node = again ? policy->next - 1 : node_from(nodes, policy->next);

	if (!again)
		policy->left = weight(policy, node);
	policy->left--;
	policy->next = node + 1;
	return node;
}

/* The node of a page of a mapping. */
static uint32_t node_of_index(const struct pagus_mempolicy *policy, uint64_t nodes)
{
	uint32_t node = node_from(nodes, 0);
	uint64_t round = 0, target;

	for (uint32_t n = 0; n < PAGUS_MAX_NODES; n++)
		round += nodes >> n & 1 ? weight(policy, n) : 0;
	target = policy->index % round;
	while (target >= weight(policy, node)) {
		target -= weight(policy, node);
		node = node_from(nodes, node + 1);
	}
	return node;
}

/* Does BIND bind a request with this mask? */
static bool binds(const struct pg_call *c, uint64_t nodes, uint32_t gfp)
{
	const struct pagus_port *port = c->p->port;
	uint32_t lowest = 0;
	bool only_movable = true;

	for (uint32_t id = 0; id < c->st->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(c->st, id);

		if (z->type == PAGUS_ZONE_MOVABLE || !pg_zone_populated(z))
			continue;
		if (z->type > lowest)
			lowest = z->type;
		if (nodes >> z->node & 1)
			only_movable = false;
	}
	if (only_movable)
		lowest = PAGUS_ZONE_MOVABLE;
	return pg_highest_zone(c->st, gfp) >= lowest &&
	       (!port->mems_allowed || (port->mems_allowed(c->p->port_ctx, false) & nodes));
}

/* Node and nodemask of the request. */
static void apply(const struct pg_call *c, struct pagus_mempolicy *policy, uint32_t mode,
		  uint64_t nodes, struct pagus_request *req)
{
	switch (mode) {
	case PAGUS_MPOL_PREFERRED:
		req->node = node_from(nodes, 0);
		break;
	case PAGUS_MPOL_PREFERRED_MANY:
		req->nodemask = nodes;
		break;
	case PAGUS_MPOL_BIND:
		req->nodemask = binds(c, nodes, req->gfp) ? nodes : 0;
		break;
	case PAGUS_MPOL_INTERLEAVE:
	case PAGUS_MPOL_WEIGHTED_INTERLEAVE:
		req->node = policy->mapped ? node_of_index(policy, nodes) : rotate(policy, nodes);
		break;
	default:
		break;
	}
}

static bool is_interleaved(uint32_t mode)
{
	return mode == PAGUS_MPOL_INTERLEAVE || mode == PAGUS_MPOL_WEIGHTED_INTERLEAVE;
}

/* First without reclaim and only where the policy would have it; then anywhere. */
static enum pagus_status ask_twice(struct pg_call *c, const struct pagus_request *req,
				   struct pagus_result *res)
{
	struct pagus_request one = *req;

	one.gfp |= __GFP_NOWARN;
	one.gfp &= ~(__GFP_DIRECT_RECLAIM | __GFP_NOFAIL);
	if (pg_alloc(c, &one, res) != PAGUS_NO_MEMORY)
		return res->status;
	one.gfp = req->gfp;
	one.nodemask = 0;
	return pg_alloc(c, &one, res);
}

/* A huge page far away costs more than it gains: the one node first. */
static enum pagus_status ask_huge(struct pg_call *c, const struct pagus_request *req,
				  struct pagus_result *res)
{
	struct pagus_request one = *req;

	one.gfp |= __GFP_THISNODE | __GFP_NORETRY;
	one.nodemask = 0;
	if (pg_alloc(c, &one, res) != PAGUS_NO_MEMORY || !(req->gfp & __GFP_DIRECT_RECLAIM))
		return res->status;
	return pg_alloc(c, req, res);
}

static enum pagus_status ask(struct pg_call *c, uint32_t mode, const struct pagus_request *req,
			     bool huge, struct pagus_result *res)
{
	if (mode == PAGUS_MPOL_PREFERRED_MANY)
		return ask_twice(c, req, res);
	if (huge && !is_interleaved(mode) && req->node < PAGUS_MAX_NODES &&
	    (!req->nodemask || (req->nodemask >> req->node & 1)))
		return ask_huge(c, req, res);
	pg_alloc(c, req, res);
	if (is_interleaved(mode) && res->status == PAGUS_OK && c->st->tunable[PAGUS_TUNABLE_numa_stat] &&
	    pg_zone(c->st, res->zone)->node == req->node)
		pg_count(c, PAGUS_COUNTER_numa_interleave, 1);
	return res->status;
}

enum pagus_status pg_alloc_mpol(struct pg_call *c, struct pagus_mempolicy *policy,
				const struct pagus_request *req, struct pagus_result *res)
{
	struct pagus_request one = *req;
	uint32_t mode = policy ? policy->mode : PAGUS_MPOL_LOCAL;
	uint64_t nodes = policy ? policy->nodes & pg_nodes_with_memory(c->st) : 0;
	bool mapped = policy && policy->mapped;

	if (req->nodemask || mode >= PAGUS_NR_MPOL_MODES ||
	    (mode > PAGUS_MPOL_PREFERRED && nodes == 0)) {
		*res = (struct pagus_result){ .pfn = PAGUS_NO_PFN, .zone = PG_NO_ZONE_ID,
					      .status = PAGUS_BAD_VALUE };
		return res->status;
	}
	if ((mode == PAGUS_MPOL_PREFERRED && nodes == 0) ||
	    (!mapped && ((req->gfp & __GFP_THISNODE) ||
			 (pg_who_asks(c, req->task).task & PAGUS_TASK_INTERRUPT))))
		mode = PAGUS_MPOL_LOCAL;
	if (one.node == PAGUS_NO_NODE)
		one.node = pg_cpu_node(c->st, c->cpu);
	apply(c, policy, mode, nodes, &one);
	return ask(c, mode, &one, mapped && req->order == c->st->pageblock_order, res);
}
