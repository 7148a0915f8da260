/* SPDX-License-Identifier: MIT */
/*
 * Memory: one reservation of address space an instance, aligned to 1 GiB, in which each node begins
 * at a multiple of 1 GiB. A pfn is the offset from its base in pages.
 */
#include "posix.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* All the pages that an instance can have records for, and the GiB that nodes are aligned to. */
#define MOST_BYTES (UINT64_C(1) << 44)

static uint64_t up_to_gib(uint64_t bytes)
{
	return (bytes + PX_GIB_BYTES - 1) & ~(PX_GIB_BYTES - 1);
}

void *px_map_own(uint64_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

/* ---- layout ---------------------------------------------------------------------------------- */

static enum pagus_status lay_out(struct pagus_posix *x)
{
	uint64_t unit = x->backing == PAGUS_POSIX_HUGETLB ? PX_HUGE_BYTES : PX_PAGE_BYTES;

	for (uint32_t n = 0; n < x->nr_nodes; n++) {
		struct px_node *node = &x->node[n];

		if (node->bytes == 0 || node->bytes % unit || node->bytes > MOST_BYTES)
			return px_error(PAGUS_BAD_CONFIG,
					"node %u: %" PRIu64 " bytes are not a multiple of %" PRIu64
					" up to 16 TiB", n, node->bytes, unit);
		node->offset = x->span;
		x->span += up_to_gib(node->bytes);
	}
	return PAGUS_OK;
}

static bool index_nodes(struct pagus_posix *x)
{
	x->node_of_gib = calloc(x->span >> PX_GIB_BITS, 1);
	for (uint32_t n = 0; n < x->nr_nodes && x->node_of_gib; n++)
		memset(x->node_of_gib + (x->node[n].offset >> PX_GIB_BITS), (int)n,
		       up_to_gib(x->node[n].bytes) >> PX_GIB_BITS);
	return x->node_of_gib;
}

/* A GiB too much, of which the ends are given back. */
static bool reserve(struct pagus_posix *x)
{
	uint64_t bytes = x->span + PX_GIB_BYTES;
	char *start = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			   0);
	uint64_t before;

	if (start == MAP_FAILED)
		return false;
	before = up_to_gib((uintptr_t)start) - (uintptr_t)start;
	x->base = start + before;
	if (before)
		munmap(start, before);
	munmap(x->base + x->span, PX_GIB_BYTES - before);
	return true;
}

/* ---- backing --------------------------------------------------------------------------------- */

static enum pagus_status open_file(struct pagus_posix *x)
{
	if (x->backing != PAGUS_POSIX_MEMFD)
		return PAGUS_OK;
	x->fd = memfd_create("pagus", MFD_CLOEXEC);
	if (x->fd < 0 || ftruncate(x->fd, (off_t)x->span) != 0)
		return px_error(PAGUS_NO_MEMORY, "memfd of %" PRIu64 " bytes: %s", x->span,
				strerror(errno));
	return PAGUS_OK;
}

static enum pagus_status refuse_node(const struct pagus_posix *x, uint32_t n, int error)
{
	uint64_t bytes = x->node[n].bytes;

	if (x->backing == PAGUS_POSIX_HUGETLB)
		return px_error(PAGUS_NO_MEMORY,
				"node %u: %" PRIu64 " huge pages of 2 MiB are not there "
				"(vm.nr_hugepages): %s", n, bytes / PX_HUGE_BYTES, strerror(error));
	return px_error(PAGUS_NO_MEMORY, "node %u: mmap of %" PRIu64 " bytes: %s", n, bytes,
			strerror(error));
}

static enum pagus_status map_node(struct pagus_posix *x, uint32_t n)
{
	static const int flags[] = {
		[PAGUS_POSIX_ANONYMOUS] = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		/* Reserved at once: no fault later finds the pool empty. */
		[PAGUS_POSIX_HUGETLB] = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
					21 << MAP_HUGE_SHIFT,
		[PAGUS_POSIX_MEMFD] = MAP_SHARED | MAP_NORESERVE,
	};
	const struct px_node *node = &x->node[n];
	char *start = x->base + node->offset;

	if (mmap(start, node->bytes, PROT_READ | PROT_WRITE, flags[x->backing] | MAP_FIXED, x->fd,
		 x->fd < 0 ? 0 : (off_t)node->offset) == MAP_FAILED)
		return refuse_node(x, n, errno);
	if (x->huge_pages && madvise(start, node->bytes, MADV_HUGEPAGE) != 0)
		return px_error(PAGUS_BAD_CONFIG, "node %u: MADV_HUGEPAGE: %s", n, strerror(errno));
	/* Before the first touch: where a page lies is decided then. */
	return node->numa_node < 0 ? PAGUS_OK : px_numa_bind(start, node->bytes, node->numa_node);
}

enum pagus_status px_memory_map(struct pagus_posix *x)
{
	enum pagus_status status = lay_out(x);

	if (status != PAGUS_OK)
		return status;
	if (!index_nodes(x) || !reserve(x))
		return px_error(PAGUS_NO_MEMORY, "%" PRIu64 " bytes of address space: %s", x->span,
				strerror(errno));
	status = open_file(x);
	for (uint32_t n = 0; n < x->nr_nodes && status == PAGUS_OK; n++)
		status = map_node(x, n);
	return status;
}

void px_memory_unmap(struct pagus_posix *x)
{
	if (x->base)
		munmap(x->base, x->span);
	if (x->fd >= 0)
		close(x->fd);
	free(x->node_of_gib);
}

int pagus_posix_memfd(const struct pagus_posix *x)
{
	return x->fd;
}

/* ---- page and address ------------------------------------------------------------------------ */

static bool is_ours(const struct pagus_posix *x, uint64_t offset)
{
	const struct px_node *node;

	if (offset >= x->span)
		return false;
	node = &x->node[x->node_of_gib[offset >> PX_GIB_BITS]];
	return offset - node->offset < node->bytes;
}

void *pagus_posix_pointer(const struct pagus_posix *x, pagus_pfn_t pfn)
{
	uint64_t offset = pfn << PX_PAGE_BITS;

	return pfn < x->span >> PX_PAGE_BITS && is_ours(x, offset) ? x->base + offset : NULL;
}

pagus_pfn_t pagus_posix_pfn(const struct pagus_posix *x, const void *address)
{
	/* An address below the base wraps round to an offset past the end. */
	uint64_t offset = (uint64_t)((uintptr_t)address - (uintptr_t)x->base);

	return is_ours(x, offset) ? offset >> PX_PAGE_BITS : PAGUS_NO_PFN;
}
