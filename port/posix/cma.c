/* SPDX-License-Identifier: MIT */
/* CMA areas: from the configuration to what is declared, and their ranges by address. */
#include "posix.h"

#include <inttypes.h>
#include <pagus/cma.h>

/* Up to which a pfn's alignment is its address's. */
#define MAX_ALIGN_ORDER (PX_GIB_BITS - PX_PAGE_BITS)

/* ---- declaration ----------------------------------------------------------------------------- */

static uint64_t memory_bytes(const struct pagus_posix *x)
{
	uint64_t bytes = 0;

	for (uint32_t n = 0; n < x->nr_nodes; n++)
		bytes += x->node[n].bytes;
	return bytes;
}

/* All that the library refuses but an order_per_bit, and what only addresses make wrong. */
static enum pagus_status check(const struct pagus_posix *x, const struct pagus_posix_cma *area,
			       uint32_t n)
{
	uint64_t align = area->alignment_bytes;

	if (area->bytes == 0 || area->bytes > memory_bytes(x))
		return px_error(PAGUS_BAD_CONFIG,
				"cma %u: %" PRIu64 " bytes: 1 to %" PRIu64 " can be", n,
				area->bytes, memory_bytes(x));
	if ((align & (align - 1)) || align > PX_GIB_BYTES || align > memory_bytes(x))
		return px_error(PAGUS_BAD_CONFIG, "cma %u: alignment_bytes: %" PRIu64
				" is no power of two up to 1 GiB and to all memory", n, align);
	if (area->node != PAGUS_NO_NODE && area->node >= x->nr_nodes)
		return px_error(PAGUS_BAD_CONFIG, "cma %u: node %u: there are %u", n, area->node,
				x->nr_nodes);
	return PAGUS_OK;
}

static enum pagus_status declare_on(struct pagus_posix *x, const struct pagus_posix_cma *area,
				    uint32_t node)
{
	const struct pagus_cma_declaration declaration = {
		.name = area->name, .node = node, .order_per_bit = area->order_per_bit,
		.nr_pages = (area->bytes + PX_PAGE_BYTES - 1) >> PX_PAGE_BITS,
		.alignment_pages = area->alignment_bytes >> PX_PAGE_BITS,
	};
	uint32_t number;

	return pagus_cma_declare(&x->p, &declaration, &number);
}

/* Node by node: one that lay on two of them would be dropped. */
static enum pagus_status declare(struct pagus_posix *x, const struct pagus_posix_cma *area)
{
	enum pagus_status status = PAGUS_NO_MEMORY;

	if (area->node != PAGUS_NO_NODE)
		return declare_on(x, area, area->node);
	for (uint32_t n = 0; n < x->nr_nodes && status == PAGUS_NO_MEMORY; n++)
		status = declare_on(x, area, n);
	return status;
}

enum pagus_status px_cma_declare(struct pagus_posix *x, const struct pagus_posix_config *config)
{
	for (uint32_t n = 0; n < config->nr_cma; n++) {
		const struct pagus_posix_cma *area = &config->cma[n];
		enum pagus_status status = check(x, area, n);

		if (status != PAGUS_OK)
			return status;
		status = declare(x, area);
		if (status == PAGUS_NO_MEMORY)
			return px_error(PAGUS_BAD_CONFIG, "cma %u: %" PRIu64 " bytes: no node that "
					"may have it has so many in one piece left", n, area->bytes);
		if (status != PAGUS_OK)
			return px_error(PAGUS_BAD_CONFIG, "cma %u: order_per_bit: the area is no "
					"multiple of 2^%u pages", n, area->order_per_bit);
	}
	return PAGUS_OK;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

enum pagus_status pagus_posix_cma_get(struct pagus_posix *x, uint32_t area, uint64_t nr_pages,
				      uint32_t align_order, uint32_t gfp, void **address)
{
	enum pagus_status status;
	pagus_pfn_t pfn;

	*address = NULL;
	if (x->foreign)
		return PAGUS_BUSY;
	if (align_order > MAX_ALIGN_ORDER)
		return PAGUS_BAD_VALUE;
	status = pagus_cma_alloc(&x->p, area, nr_pages, align_order, gfp, NULL, &pfn);
	if (status == PAGUS_OK)
		*address = pagus_posix_pointer(x, pfn);
	return status;
}

enum pagus_status pagus_posix_cma_put(struct pagus_posix *x, uint32_t area, void *address,
				      uint64_t nr_pages)
{
	enum pagus_status status;
	pagus_pfn_t pfn;

	if (x->foreign)
		return PAGUS_BUSY;
	status = px_first_page(x, address, &pfn);
	return status == PAGUS_OK ? pagus_cma_release(&x->p, area, pfn, nr_pages) : status;
}
