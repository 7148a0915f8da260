/* SPDX-License-Identifier: MIT */
/* What libproc2 (procps) reads in /proc/vmstat: a line "name value" for some of its items. */
#include <libproc2/vmstat.h>
#include <stdio.h>

#define ITEM(name, item) { name, item }

static const struct {
	const char *name;
	enum vmstat_item item;
} items[] = {
	ITEM("nr_free_pages", VMSTAT_NR_FREE_PAGES), ITEM("nr_free_cma", VMSTAT_NR_FREE_CMA),
	ITEM("nr_zone_active_anon", VMSTAT_NR_ZONE_ACTIVE_ANON), ITEM("numa_hit", VMSTAT_NUMA_HIT),
	ITEM("pgpgin", VMSTAT_PGPGIN), ITEM("pgalloc_dma", VMSTAT_PGALLOC_DMA),
	ITEM("pgalloc_dma32", VMSTAT_PGALLOC_DMA32), ITEM("pgalloc_normal", VMSTAT_PGALLOC_NORMAL),
	ITEM("pgalloc_movable", VMSTAT_PGALLOC_MOVABLE), ITEM("pgfree", VMSTAT_PGFREE),
	ITEM("allocstall_normal", VMSTAT_ALLOCSTALL_NORMAL),
	ITEM("compact_stall", VMSTAT_COMPACT_STALL),
	ITEM("zone_reclaim_failed", VMSTAT_ZONE_RECLAIM_FAILED),
};

int main(void)
{
	struct vmstat_info *info = NULL;

	if (procps_vmstat_new(&info) < 0) {
		fputs("read_vmstat: libproc2 does not read /proc/vmstat\n", stderr);
		return 1;
	}
	for (size_t n = 0; n < sizeof(items) / sizeof(items[0]); n++) {
		const struct vmstat_result *result = procps_vmstat_get(info, items[n].item);

		if (!result)
			return 1;
		printf("%s %lu\n", items[n].name, result->result.ul_int);
	}
	procps_vmstat_unref(&info);
	return 0;
}
