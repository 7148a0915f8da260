/* SPDX-License-Identifier: MIT */
/* Allocation from CMA areas, and release. */
#include "base/bits.h"
#include "contig/cma.h"
#include "contig/range.h"

#define MAX_WAITS 4096 /* for another allocation from the area */
#define NO_BIT    UINT64_MAX

/* Places in an area that a request may have: bits, of the range that is looked at. */
struct request {
	struct pg_cma *cma;
	uint32_t area;
	uint64_t nr_pages, nr_bits;
	uint32_t align_order;
	uint32_t gfp;
	const struct pagus_cancel *cancel;
};

/* The first set bit in [from, end); `end` if none is. */
static uint64_t first_set(const uint64_t *bits, uint64_t from, uint64_t end)
{
	while (from < end) {
		uint64_t here = pg_word_load(&bits[from / 64]) & UINT64_MAX << from % 64;

		if (here)
			return pg_min(from / 64 * 64 + (uint64_t)__builtin_ctzll(here), end);
		from = (from / 64 + 1) * 64;
	}
	return end;
}

/* Bits whose place is a multiple of so many, counted from pfn 0. */
static uint64_t bit_alignment(const struct request *req)
{
	uint32_t per_bit = req->cma->order_per_bit;

	return UINT64_C(1) << (req->align_order > per_bit ? req->align_order - per_bit : 0);
}

/* The first run of clear bits from `from` on that is long enough and aligned; NO_BIT. */
static uint64_t find(const struct pagus_state *st, const struct request *req,
		     const struct pg_cma_range *range, uint64_t from)
{
	uint64_t align = bit_alignment(req), end = pg_cma_nr_bits(req->cma, range);
	uint64_t offset = (range->base >> req->cma->order_per_bit) & (align - 1);
	const uint64_t *bits = pg_cma_bits(st, range);

	for (;;) {
		uint64_t bit = pg_align_up(from + offset, align) - offset;

		if (bit + req->nr_bits > end)
			return NO_BIT;
		from = first_set(bits, bit, bit + req->nr_bits);
		if (from == bit + req->nr_bits)
			return bit;
		from++;
	}
}

static void change_bits(uint64_t *bits, uint64_t first, uint64_t nr, bool set)
{
	for (uint64_t bit = first, end = first + nr, next; bit < end; bit = next) {
		uint64_t mask;

		next = pg_min((bit / 64 + 1) * 64, end);
		mask = next - bit == 64 ? UINT64_MAX : (UINT64_C(1) << (next - bit)) - 1;
		mask <<= bit % 64;
		if (set)
			pg_word_or(&bits[bit / 64], mask);
		else
			pg_word_and(&bits[bit / 64], ~mask);
	}
}

static void tell(const struct pg_call *c, enum pagus_event_id id, const struct request *req,
		 pagus_pfn_t pfn, uint32_t b)
{
	if (pg_event_wanted(c, id))
		pg_event_raise(c, id, PG_NO_ZONE, pfn, req->align_order, PAGUS_CMA, req->area, b);
}

/* Place by place, until one can be emptied. NO_MEMORY: there is none. */
static enum pagus_status alloc_in(struct pg_call *c, const struct request *req,
				  const struct pg_cma_range *range, pagus_pfn_t *pfn)
{
	uint64_t *bits = pg_cma_bits(c->st, range), bit = find(c->st, req, range, 0);
	enum pagus_status status = PAGUS_NO_MEMORY;

	while (bit != NO_BIT) {
		pagus_pfn_t start = range->base + (bit << req->cma->order_per_bit);

		change_bits(bits, bit, req->nr_bits, true);
		pg_atomic_sub(&req->cma->available, (uint32_t)req->nr_pages);
		status = pg_alloc_contig(c, start, start + req->nr_pages, true, req->gfp,
					 req->cancel);
		if (status == PAGUS_OK) {
			*pfn = start;
			return status;
		}
		change_bits(bits, bit, req->nr_bits, false);
		pg_atomic_add(&req->cma->available, (uint32_t)req->nr_pages);
		if (status != PAGUS_BUSY)
			return status;
		tell(c, PAGUS_EVENT_CMA_BUSY_RETRY, req, start, (uint32_t)req->nr_pages);
		bit = find(c->st, req, range, bit + bit_alignment(req));
	}
	return status;
}

static enum pagus_status alloc_anywhere(struct pg_call *c, const struct request *req,
					pagus_pfn_t *pfn)
{
	enum pagus_status status = PAGUS_NO_MEMORY;
	bool busy = false;

	for (uint32_t r = 0; r < req->cma->nr_ranges; r++) {
		uint32_t available = pg_atomic_load(&req->cma->available);
		const struct pg_cma_range *range = &req->cma->range[r];

		if (req->nr_pages > available || pg_cma_nr_bits(req->cma, range) < req->nr_bits)
			continue;
		status = alloc_in(c, req, range, pfn);
		/* Elsewhere there may be room, or nothing in the way. */
		if (status == PAGUS_BUSY)
			busy = true;
		else if (status != PAGUS_NO_MEMORY)
			return status;
	}
	return busy ? PAGUS_BUSY : status;
}

static void wait(struct pg_call *c)
{
	pg_call_end(c);
	c->p->port->wait(c->p->port_ctx, PAGUS_WAIT_CMA);
	pg_call_resume(c);
}

/* Be the one who allocates from the area. */
static bool begin(struct pg_call *c, struct pg_cma *cma)
{
	for (uint32_t n = 0; n < MAX_WAITS; n++) {
		if (pg_atomic_exchange(&cma->busy, 1) == 0)
			return true;
		if (!c->p->port->wait)
			return false;
		wait(c);
	}
	return false;
}

static enum pagus_status alloc_in_turn(struct pg_call *c, const struct request *req,
				       pagus_pfn_t *pfn)
{
	enum pagus_status status = PAGUS_BUSY;

	pg_span_begin(c);
	if (begin(c, req->cma)) {
		status = alloc_anywhere(c, req, pfn);
		pg_atomic_store(&req->cma->busy, 0);
	}
	pg_span_end(c);
	return status;
}

enum pagus_status pg_cma_alloc(struct pg_call *c, uint32_t area, uint64_t nr_pages,
			       uint32_t align_order, uint32_t gfp,
			       const struct pagus_cancel *cancel, pagus_pfn_t *pfn)
{
	struct request req = { .area = area, .nr_pages = nr_pages, .align_order = align_order,
			       .gfp = gfp, .cancel = cancel };
	struct pg_cma_stats *stats;
	enum pagus_status status;

	*pfn = PAGUS_NO_PFN;
	if (area >= c->st->nr_cmas || align_order > 31 || !pg_contig_gfp_valid(gfp))
		return PAGUS_BAD_VALUE;
	req.cma = pg_cma(c->st, area);
	if (!(req.cma->flags & PG_CMA_ACTIVE) || nr_pages == 0 ||
	    ((gfp & __GFP_COMP) && (nr_pages & (nr_pages - 1))))
		return PAGUS_BAD_VALUE;
	req.nr_bits = pg_align_up(nr_pages, UINT64_C(1) << req.cma->order_per_bit) >>
		      req.cma->order_per_bit;
	if (gfp & __GFP_COMP)
		req.align_order = (uint32_t)pg_max(align_order, pg_fls(nr_pages) - 1);
	tell(c, PAGUS_EVENT_CMA_ALLOC_START, &req, PAGUS_NO_PFN, (uint32_t)nr_pages);
	/* Of more nr_bits may have overflowed. */
	status = nr_pages > req.cma->nr_pages ? PAGUS_NO_MEMORY : alloc_in_turn(c, &req, pfn);
	stats = pg_cma_stats(c->st, area);
	pg_word_add(status == PAGUS_OK ? &stats->alloc_pages : &stats->fail_pages, nr_pages);
	pg_count(c, status == PAGUS_OK ? PAGUS_COUNTER_cma_alloc_success :
					 PAGUS_COUNTER_cma_alloc_fail, 1);
	tell(c, PAGUS_EVENT_CMA_ALLOC_FINISH, &req, *pfn, status);
	return status;
}

/* ---- release -------------------------------------------------------------------------------- */

static const struct pg_cma_range *find_range(const struct pg_cma *cma, pagus_pfn_t pfn, uint64_t nr)
{
	for (uint32_t r = 0; r < cma->nr_ranges; r++) {
		const struct pg_cma_range *range = &cma->range[r];

		if (pfn >= range->base && pfn < range->base + range->nr_pages &&
		    nr <= range->base + range->nr_pages - pfn)
			return range;
	}
	return NULL;
}

static bool all_set(const uint64_t *bits, uint64_t first, uint64_t nr)
{
	for (uint64_t bit = first; bit < first + nr; bit++)
		if (!(pg_word_load(&bits[bit / 64]) >> bit % 64 & 1))
			return false;
	return true;
}

enum pagus_status pg_cma_release(struct pg_call *c, uint32_t area, pagus_pfn_t pfn,
				 uint64_t nr_pages)
{
	struct request req = { .area = area };
	const struct pg_cma_range *range;
	enum pagus_status status;
	uint64_t first, nr, *bits;
	struct pg_cma *cma;

	if (area >= c->st->nr_cmas)
		return PAGUS_BAD_VALUE;
	cma = pg_cma(c->st, area);
	range = cma->flags & PG_CMA_ACTIVE && nr_pages ? find_range(cma, pfn, nr_pages) : NULL;
	if (!range)
		return PAGUS_BAD_RANGE;
	if ((pfn - range->base) & ((UINT64_C(1) << cma->order_per_bit) - 1))
		return PAGUS_BAD_ALIGN;
	first = (pfn - range->base) >> cma->order_per_bit;
	nr = pg_align_up(nr_pages, UINT64_C(1) << cma->order_per_bit) >> cma->order_per_bit;
	bits = pg_cma_bits(c->st, range);
	if (!all_set(bits, first, nr))
		return PAGUS_NOT_ALLOCATED;
	status = pg_free_contig(c, pfn, nr_pages);
	if (status != PAGUS_OK)
		return status;
	/* Only now may another have them. */
	change_bits(bits, first, nr, false);
	pg_atomic_add(&cma->available, (uint32_t)nr_pages);
	pg_word_add(&pg_cma_stats(c->st, area)->release_pages, nr_pages);
	tell(c, PAGUS_EVENT_CMA_RELEASE, &req, pfn, (uint32_t)nr_pages);
	return PAGUS_OK;
}
