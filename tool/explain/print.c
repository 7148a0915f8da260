/* SPDX-License-Identifier: MIT */
/* The explanation as text: a copy of the machine makes the decision and tells how. */
#include "explain/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pagus/explain.h>
#include <pagus/step.h>
#include <pagus/text.h>

#include "verify/lead.h"

#define ALLOC_NO_WATERMARKS 0x4u
#define ALLOC_OOM           0x8u
#define OUTSIDE_ALL 1u  /* kind of a drain from outside: everything */
#define MAX_PASSES 64   /* rows of a placement's table */
#define MAX_TAKEN  4096 /* blocks of a refill */

struct row {
	uint32_t pass, verdict;
};

struct teller {
	struct pagus p;      /* the copy */
	struct lead *lead;   /* of the verification that has come to here */
	struct pagus_result result;
	uint32_t highest;    /* of the plan */
	uint32_t served;     /* ALLOC_* flags of the walk that served */
	bool weighed;        /* the zone has been named */
	bool told;           /* the first take in this zone has been, row by row */
	uint32_t next_row;   /* of the placement's table, if this take goes on */
	uint64_t asked;      /* the page that the event names, if it was taken; all ones if none */
	struct row rows[MAX_PASSES]; /* of a further take of a refill, */
	uint32_t nr_rows;            /* until one serves */
	uint32_t passes[MAX_PASSES]; /* further takes of a refill, by the row that served */
	pagus_pfn_t taken[MAX_TAKEN]; /* all takes in a row */
	uint32_t nr_taken;
};

static const char *gfp_text(const struct pagus *p, uint32_t gfp)
{
	static char buf[512];
	struct pagus_text t;

	pagus_text_init(&t, buf, sizeof(buf));
	pagus_text_gfp(p, &t, gfp);
	return buf;
}

static const char *flags_text(uint32_t flags)
{
	static char buf[256];

	pagus_alloc_flags_text(flags, buf, sizeof(buf));
	return buf;
}

static void print_zone_name(const struct pagus *p, uint32_t zone)
{
	struct pagus_zone_info info;

	if (pagus_zone_info(p, zone, &info) == PAGUS_OK)
		printf("Node %" PRIu32 " %s", info.node, pagus_zone_name(info.type));
}

static const char *type_name(uint32_t type)
{
	return pagus_migratetype_name((enum pagus_migratetype)type);
}

/* ---- the decision as it is made -------------------------------------------------------------- */

static void tell_plan(struct teller *k, const struct pagus_event *e)
{
	k->highest = e->b;
	printf("plan      %s, order %u, zones up to %s, first walk with %s\n",
	       type_name(e->migratetype), e->order, pagus_zone_name((enum pagus_zone_type)e->b),
	       flags_text(e->a));
}

static void print_zone_line(const struct teller *k, const struct pagus_event *e)
{
	printf("zone      ");
	print_zone_name(&k->p, e->zone);
	printf(", %s\n", flags_text(e->a));
}

static void tell_weight(struct teller *k, const struct pagus_event *e)
{
	struct pagus_weight w;
	bool enough;

	print_zone_line(k, e);
	k->weighed = true;
	k->told = false;
	k->next_row = 0;
	if (pagus_weigh(&k->p, e->zone, e->order, k->highest, e->a, &w) != PAGUS_OK)
		return;
	enough = w.free - w.unusable > w.min + w.reserve;
	printf("  mark    free %" PRId64 " - unusable %" PRId64 " %s min %" PRId64 " (of mark %" PRId64
	       ") + reserve %" PRId64 " pages%s\n", w.free, w.unusable, enough ? ">" : "<=", w.min,
	       w.mark, w.reserve, enough == (bool)e->b ? "" : enough ?
	       ", but no block of the order is free to this request" :
	       ", but the request may go below it");
}

static void tell_zone(struct teller *k, const struct pagus_event *e)
{
	if (!k->weighed)
		print_zone_line(k, e);
	k->weighed = false;
	if (e->b == PAGUS_VERDICT_SERVED)
		k->served = e->a;
	printf("          %s", pagus_verdict_text((enum pagus_verdict)e->b));
	if (e->pfn != PAGUS_NO_PFN)
		printf(", pfn %#" PRIx64, e->pfn);
	putchar('\n');
}

static void print_row(const struct teller *k, struct row row, uint64_t pfn)
{
	const char *why = "", *name = pagus_pass_name(&k->p, row.pass, &why);

	printf("  pass    %-12s %s", name, pagus_verdict_text((enum pagus_verdict)row.verdict));
	if (row.verdict == PAGUS_VERDICT_SERVED)
		printf(": pfn %#" PRIx64 "; %s", pfn, why);
	putchar('\n');
}

/*
 * A further block of a refill counts for the row that served it; the one asked about is told whole.
 */
static void note_further(struct teller *k, struct row row, uint64_t pfn)
{
	if (k->nr_rows < MAX_PASSES)
		k->rows[k->nr_rows++] = row;
	if (row.verdict != PAGUS_VERDICT_SERVED)
		return;
	if (row.pass < MAX_PASSES)
		k->passes[row.pass]++;
	if (pfn == k->asked) {
		printf("          block %" PRIu32 ", which the event names:\n", k->nr_taken);
		for (uint32_t n = 0; n < k->nr_rows; n++)
			print_row(k, k->rows[n], pfn);
	}
	k->nr_rows = 0;
}

/* Of a refill the first block is told row by row. */
static void tell_pass(struct teller *k, const struct pagus_event *e)
{
	const struct row row = { e->a, e->b };

	if (row.verdict == PAGUS_VERDICT_SERVED && k->nr_taken < MAX_TAKEN)
		k->taken[k->nr_taken++] = e->pfn;
	if (k->told) {
		note_further(k, row, e->pfn);
		return;
	}
	if (row.pass < k->next_row)
		puts("          then without the pcp list, for the requester itself:");
	k->next_row = row.pass + 1;
	print_row(k, row, e->pfn);
	k->told = row.verdict == PAGUS_VERDICT_SERVED;
}

static void tell_slow_step(const struct pagus_event *e)
{
	if (e->b)
		printf("slow path %-16s yes\n", pagus_slow_row_name(e->a));
	else
		printf("slow path %s\n", pagus_slow_row_name(e->a));
}

static void tell(void *ctx, const struct pagus_event *e)
{
	struct teller *k = ctx;

	switch (e->id) {
	case PAGUS_EVENT_PLAN:
		tell_plan(k, e);
		break;
	case PAGUS_EVENT_ZONE_WEIGHED:
		tell_weight(k, e);
		break;
	case PAGUS_EVENT_ZONE_TRIED:
		tell_zone(k, e);
		break;
	case PAGUS_EVENT_PASS_TRIED:
		tell_pass(k, e);
		break;
	case PAGUS_EVENT_SLOW_STEP:
		tell_slow_step(e);
		break;
	case PAGUS_EVENT_REFILL:
		printf("  refill  %" PRIu32 " blocks asked for, %" PRIu32 " brought\n", e->a, e->b);
		break;
	default:
		break;
	}
}

static void print_further_takes(const struct teller *k)
{
	for (uint32_t row = 0; row < MAX_PASSES; row++)
		if (k->passes[row])
			printf("          %" PRIu32 " further block%s of the refill by %s\n",
			       k->passes[row], k->passes[row] == 1 ? "" : "s",
			       pagus_pass_name(&k->p, row, NULL));
}

/* ---- allocation ------------------------------------------------------------------------------ */

/* ALLOC_* flags that the recording gives for the decision; 0 where it gives none. */
static uint32_t recorded_flags(const struct trace_event *decision)
{
	if (decision->type == TRACE_POP || decision->type == TRACE_REFILL)
		return decision->gfp & 0xffff;
	return decision->type == TRACE_WALK ? decision->pfn & 0xffff : 0;
}

static struct pagus_request request_of(const struct explain_target *x)
{
	struct pagus_request req = {
		.gfp = x->request.gfp, .order = x->request.order, .node = PAGUS_NO_NODE
	};
	uint32_t flags = recorded_flags(&x->decision);

	if (x->request.type == TRACE_REQUEST) {
		req.node = x->request.mt < 0 ? PAGUS_NO_NODE : (uint32_t)x->request.mt;
		req.nodemask = x->request.pfn;
	}
	if (flags & ALLOC_NO_WATERMARKS)
		req.task |= PAGUS_TASK_MEMALLOC;
	if (flags & ALLOC_OOM)
		req.task |= PAGUS_TASK_OOM_VICTIM;
	return req;
}

/* By its mask, which is that function's own. */
static bool is_nolock(const struct pagus_request *req)
{
	return (req->gfp & ~__GFP_ACCOUNT) == PAGUS_GFP_NOLOCK;
}

static void print_request(const struct teller *k, const struct pagus_request *req)
{
	printf("request   order %" PRIu32 ", %#x (%s)", req->order, req->gfp,
	       gfp_text(&k->p, req->gfp));
	if (req->node != PAGUS_NO_NODE)
		printf(", prefers node %" PRIu32, req->node);
	if (req->nodemask)
		printf(", nodemask %#" PRIx64, req->nodemask);
	if (is_nolock(req))
		printf(", by alloc_pages_nolock");
	if (req->task & PAGUS_TASK_MEMALLOC)
		printf(", of a task that frees memory");
	if (req->task & PAGUS_TASK_OOM_VICTIM)
		printf(", of an OOM victim");
	putchar('\n');
}

/* The page that the recorded kernel took there; all ones if the recording does not say. */
static uint64_t recorded_page(const struct explain_target *x)
{
	if (x->event.type == TRACE_REFILL || x->event.type == TRACE_WALK)
		return UINT64_MAX;
	return x->event.pfn;
}

static bool is_take(const struct explain_target *x)
{
	return x->event.type == TRACE_ZONE_LOCKED || x->event.type == TRACE_EXTFRAG;
}

/* Which block of the taking the page is, from 1 on; 0 if it is none. */
static uint32_t place_in_taking(const struct teller *k, uint64_t pfn)
{
	for (uint32_t n = 0; n < k->nr_taken; n++)
		if (k->taken[n] == pfn)
			return n + 1;
	return 0;
}

static void print_choices(const struct teller *k, const struct explain_target *x)
{
	uint64_t theirs = recorded_page(x), ours = k->result.pfn;

	if (k->result.status == PAGUS_OK)
		printf("pagus     pfn %#" PRIx64 "%s\n", ours,
		       k->result.from_pcp ? ", the head of its pcp list" : "");
	else
		printf("pagus     refuses: %s\n", pagus_refusal_text(k->result.refusal));
	if (theirs == UINT64_MAX) {
		printf("kernel    %s\n", x->event.type == TRACE_ALLOC ? "refused it" :
		       "its answer is told by a later event");
		return;
	}
	printf("kernel    pfn %#" PRIx64, theirs);
	if (ours == theirs)
		puts(": the same");
	else if (is_take(x) && place_in_taking(k, theirs))
		printf(": block %" PRIu32 " of what pagus takes here\n", place_in_taking(k, theirs));
	else
		puts(": another");
}

static void explain_alloc(const struct explain_target *x, struct teller *k)
{
	const struct pagus_request req = request_of(x);
	uint32_t flags = recorded_flags(&x->decision);

	if (!x->requested) {
		puts("request   the recording ends without its answer: its GFP mask is not known");
		return;
	}
	print_request(k, &req);
	k->asked = is_take(x) ? x->event.pfn : PAGUS_NO_PFN;
	pagus_listen(&k->p, tell, k, PAGUS_DECISION_EVENTS | 1u << PAGUS_EVENT_REFILL);
	if (is_nolock(&req))
		pagus_alloc_nolock(&k->p, req.node, req.order, &k->result);
	else
		pagus_alloc(&k->p, &req, &k->result);
	print_further_takes(k);
	print_choices(k, x);
	if (flags)
		printf("          at that step the kernel's flags were %s\n", flags_text(flags));
	if (flags && k->result.status == PAGUS_OK && flags != k->served)
		puts("          why it passed over what serves pagus is not recorded: dirty pages, a cpuset, "
		     "counts not folded");
}

/* ---- free ------------------------------------------------------------------------------------ */

static void print_pcp(const struct pagus *p, uint32_t zone, uint32_t cpu)
{
	struct pagus_pcp_info pcp;

	if (pagus_pcp_info(p, zone, cpu, &pcp) == PAGUS_OK)
		printf("pcp       CPU %" PRIu32 ": count %" PRIu32 ", high %" PRIu32 " (%" PRIu32 " to %"
		       PRIu32 "), batch %" PRIu32 ", free_count %" PRIu32 "\n", cpu, pcp.count,
		       pcp.high, pcp.high_min, pcp.high_max, pcp.batch, pcp.free_count);
}

static void print_list(uint32_t list, uint32_t order)
{
	if (list < LEAD_HUGE_LIST)
		printf("onto list %" PRIu32 " (order %" PRIu32 ", %s)", list, order, type_name(list % 3));
	else
		printf("onto list %" PRIu32 " (order %" PRIu32 ", %s)", list, order,
		       list == LEAD_HUGE_LIST ? "not Movable" : "Movable");
}

/* Where the free goes by what pagus knows; a recorded kernel may have found the pcp locked. */
static void print_route(struct teller *k, uint64_t pfn, uint32_t order, bool isolated)
{
	uint32_t list = 0, over = 0;
	enum pagus_status status = isolated ? PAGUS_OK :
		pagus_step_push(&k->p, pfn, order, true, &list, &over);

	printf("pagus     ");
	if (isolated)
		puts("straight to the zone: its pageblock is isolated");
	else if (status == PAGUS_BAD_ORDER)
		printf("straight to the zone: pcps do not cache order %" PRIu32 "\n", order);
	else if (status != PAGUS_OK)
		printf("cannot free it: %s\n", pagus_status_text(status));
	else
		print_list(list, order);
	if (isolated || status != PAGUS_OK)
		return;
	if (over)
		printf(", then drains %" PRIu32 " pages from there on\n", over);
	else
		puts("; nothing is drained");
}

static void explain_free(const struct explain_target *x, struct teller *k)
{
	const struct trace_event *ev = &x->event;
	const uint32_t order = ev->type == TRACE_FREE_BATCHED ? 0 : ev->order;
	struct pagus_page_info page;
	enum pagus_status status = pagus_page_info(&k->p, ev->pfn, &page);

	if (status != PAGUS_OK || page.zone >= pagus_nr_zones(&k->p)) {
		printf("page      pfn %#" PRIx64 " is not memory of this machine\n", ev->pfn);
		return;
	}
	printf("block     pfn %#" PRIx64 ", order %" PRIu32 ", in a pageblock of type %s, ", ev->pfn,
	       order, type_name(page.block_type));
	print_zone_name(&k->p, page.zone);
	putchar('\n');
	print_pcp(&k->p, page.zone, ev->cpu);
	print_route(k, ev->pfn, order, page.block_type == PAGUS_ISOLATE);
	if (ev->type == TRACE_PUSH) {
		printf("kernel    ");
		print_list(lead_list(ev->order, (uint32_t)ev->mt), order);
		putchar('\n');
	} else if (ev->type == TRACE_DIRECT_FREE) {
		puts("kernel    straight to the zone");
	}
}

/* ---- drain ----------------------------------------------------------------------------------- */

/* What is drained in one piece, or as much as its beginning asks for. */
struct drain {
	uint32_t zone, cpu, list, pages;
	uint64_t asked;   /* the page that the event names */
	uint32_t nr;      /* blocks drained so far */
	uint32_t place;   /* the asked one's among them; 0: it is not there */
	uint32_t type;    /* of the list that it goes to */
	uint64_t last;
};

static void count_drained(void *ctx, const struct pagus_event *e)
{
	struct drain *d = ctx;

	d->nr++;
	d->last = e->pfn;
	if (e->pfn != d->asked)
		return;
	d->place = d->nr;
	d->type = e->migratetype;
}

/* A piece of a drain, as large as it was recorded. */
static void ask_piece(const struct trace_event *ev, struct teller *k, struct drain *d)
{
	d->zone = lead_zone(k->lead, ev->x1);
	d->cpu = ev->x2;
	d->list = ev->order;
	d->pages = (uint32_t)ev->pfn;
	print_pcp(&k->p, d->zone, d->cpu);
}

/* All of a pcp, or what one of a remote node loses when its pages expire. */
static void ask_outside(const struct trace_event *ev, struct teller *k, struct drain *d)
{
	struct pagus_pcp_info pcp = { 0 };

	d->zone = lead_zone(k->lead, (uint8_t)((uint32_t)ev->mt << 4 | ev->order));
	d->cpu = ev->x1;
	print_pcp(&k->p, d->zone, d->cpu);
	if (pagus_pcp_info(&k->p, d->zone, d->cpu, &pcp) == PAGUS_OK)
		d->pages = ev->x2 == OUTSIDE_ALL || pcp.count < pcp.batch ? pcp.count : pcp.batch;
}

/* What a free brings over the limit. It is made here: its page may be drained too. */
static void ask_overflow(const struct trace_event *ev, struct teller *k, struct drain *d)
{
	uint32_t order = ev->type == TRACE_FREE_BATCHED ? 0 : ev->order;

	d->zone = lead_zone_of(k->lead, ev->pfn);
	d->cpu = ev->cpu;
	print_pcp(&k->p, d->zone, d->cpu);
	pagus_step_push(&k->p, ev->pfn, order, true, &d->list, &d->pages);
}

static const char *beginning_text(const struct trace_event *ev)
{
	static const char *const outside[] = {
		"a remote node's pages expire", "the pcp is emptied", "its high decays",
	};

	if (ev->type != TRACE_OUTSIDE_DRAIN)
		return "a free filled the pcp over its limit";
	return ev->x2 < sizeof(outside) / sizeof(outside[0]) ? outside[ev->x2] : "";
}

static void print_drain_choices(const struct explain_target *x, const struct drain *d)
{
	printf("drain     %" PRIu32 " pages, from the tail of list %" PRIu32 " on\n", d->pages, d->list);
	printf("pagus     %" PRIu32 " blocks", d->nr);
	if (d->nr)
		printf(", the last pfn %#" PRIx64, d->last);
	putchar('\n');
	if (x->event.type != TRACE_PCPU_DRAIN)
		return;
	printf("kernel    pfn %#" PRIx64 " order %u, to the lists of %s: ", x->event.pfn,
	       x->event.order, type_name((uint32_t)x->event.mt));
	if (d->place && d->type == (uint32_t)x->event.mt)
		printf("block %" PRIu32 " of what pagus drains here\n", d->place);
	else if (d->place)
		printf("block %" PRIu32 " of what pagus drains here, to those of %s\n", d->place,
		       type_name(d->type));
	else
		puts("not among what pagus drains here");
}

static void explain_drain(const struct explain_target *x, struct teller *k)
{
	const struct trace_event *ev = &x->decision;
	struct drain d = { .asked = x->event.pfn };

	printf("begun     by event %" PRIu64 ", %s: %s\n", x->begun,
	       trace_event_name(x->beginning.type), beginning_text(&x->beginning));
	if (ev->type == TRACE_DRAIN_PIECE)
		ask_piece(ev, k, &d);
	else if (ev->type == TRACE_OUTSIDE_DRAIN)
		ask_outside(ev, k, &d);
	else
		ask_overflow(ev, k, &d);
	pagus_listen(&k->p, count_drained, &d, 1u << PAGUS_EVENT_PCPU_DRAIN);
	if (d.pages)
		pagus_step_drain(&k->p, d.zone, d.cpu, d.pages, d.list);
	print_drain_choices(x, &d);
}

/* ---- all ------------------------------------------------------------------------------------- */

static void print_head(const struct explain_target *x)
{
	printf("event     %" PRIu64 ", %s", x->number, trace_event_name(x->event.type));
	if (recorded_page(x) != UINT64_MAX)
		printf(", pfn %#" PRIx64, x->event.pfn);
	printf(", CPU %u, pid %" PRId32 "\n", x->event.cpu, x->event.pid);
	if (x->decided != x->number)
		printf("decided   at event %" PRIu64 ", %s\n", x->decided,
		       trace_event_name(x->decision.type));
}

bool explain_print(const struct explain_target *x, struct machine *m, struct trace_error *err)
{
	size_t bytes = pagus_state_bytes(&m->pagus);
	struct teller *k = calloc(1, sizeof(*k));
	void *region = aligned_alloc(64, (bytes + 63) / 64 * 64);

	if (!k || !region) {
		snprintf(err->text, sizeof(err->text), "no memory for a copy of the machine");
		free(k);
		free(region);
		return false;
	}
	pagus_clone(&k->p, region, bytes, &m->pagus, &m->port, &m->sim);
	k->lead = m->owner;
	pagus_sim_on(&m->sim, x->decision.cpu, x->decision.ts);
	print_head(x);
	if (x->kind == EXPLAIN_ALLOC)
		explain_alloc(x, k);
	else if (x->kind == EXPLAIN_FREE)
		explain_free(x, k);
	else
		explain_drain(x, k);
	pagus_fini(&k->p);
	free(region);
	free(k);
	return true;
}
