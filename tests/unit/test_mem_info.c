/* SPDX-License-Identifier: MIT */
/* Mem-Info and the report of a failed request, as the kernel logs them. */
#include "unit/unit.h"

#include <pagus/step.h>
#include <pagus/text.h>

#include <string.h>

static char text[1 << 16];

#define MACHINE_LINES(free)                                                                        \
	"Mem-Info:\n"                                                                             \
	"active_anon:0 inactive_anon:0 isolated_anon:0\n"                                         \
	" active_file:0 inactive_file:0 isolated_file:0\n"                                        \
	" unevictable:0 dirty:0 writeback:0\n"                                                    \
	" slab_reclaimable:0 slab_unreclaimable:0\n"                                              \
	" mapped:0 shmem:0 pagetables:0\n"                                                        \
	" sec_pagetables:0 bounce:0\n"                                                            \
	" kernel_misc_reclaimable:0\n"                                                            \
	" free:" free " free_pcp:0 free_cma:0\n"

#define NODE_BEGIN                                                                                 \
	" active_anon:0kB inactive_anon:0kB active_file:0kB inactive_file:0kB unevictable:0kB"    \
	" isolated(anon):0kB isolated(file):0kB mapped:0kB dirty:0kB writeback:0kB shmem:0kB"
#define NODE_END " kernel_stack:0kB pagetables:0kB sec_pagetables:0kB all_unreclaimable? no"
#define ZONE_LRU                                                                                   \
	" active_anon:0kB inactive_anon:0kB active_file:0kB inactive_file:0kB unevictable:0kB"    \
	" writepending:0kB"

static const struct pagus_range three_zones[] = {
	{ 0, 4096, 0, PAGUS_ZONE_DMA }, { 4096, 4096, 0, PAGUS_ZONE_NORMAL },
	{ 8192, 4096, 1, PAGUS_ZONE_NORMAL },
};

/*
 * Zones of 16 MiB: DMA and Normal on node 0, Normal on node 1; marks of zero; one free block each.
 */
static void open_three(struct lab *lab, const char *policy)
{
	const struct pagus_config cfg = lab_config(three_zones, 3, policy);

	unit_open(lab, &cfg);
	unit_seed_free(lab, 0, 10);
	unit_seed_free(lab, 4096, 0);
	unit_seed_free(lab, 8192, 1);
}

static void mem_info_in_7_2(void **state)
{
	struct pagus_text t;
	struct lab lab;

	(void)state;
	open_three(&lab, "linux");
	pagus_text_init(&t, text, sizeof(text));
	pagus_text_show_mem(&lab.p, &t, 0);
	assert_string_equal(text,
		MACHINE_LINES("1027")
		"Node 0" NODE_BEGIN " shmem_thp:0kB shmem_pmdmapped:0kB anon_thp:0kB" NODE_END
		" Balloon:0kB gpu_active:0kB gpu_reclaim:0kB\n"
		"Node 1" NODE_BEGIN " shmem_thp:0kB shmem_pmdmapped:0kB anon_thp:0kB" NODE_END
		" Balloon:0kB gpu_active:0kB gpu_reclaim:0kB\n"
		"Node 0 DMA free:4096kB boost:0kB min:0kB low:0kB high:0kB reserved_highatomic:0KB"
		" free_highatomic:0KB" ZONE_LRU " zspages:0kB present:16384kB managed:4096kB"
		" mlocked:0kB bounce:0kB free_pcp:0kB local_pcp:0kB free_cma:0kB\n"
		"lowmem_reserve[]: 0 0 0 0\n"
		"Node 0 Normal free:4kB boost:0kB min:0kB low:0kB high:0kB reserved_highatomic:0KB"
		" free_highatomic:0KB" ZONE_LRU " zspages:0kB present:16384kB managed:4kB"
		" mlocked:0kB bounce:0kB free_pcp:0kB local_pcp:0kB free_cma:0kB\n"
		"lowmem_reserve[]: 0 0 0 0\n"
		"Node 1 Normal free:8kB boost:0kB min:0kB low:0kB high:0kB reserved_highatomic:0KB"
		" free_highatomic:0KB" ZONE_LRU " zspages:0kB present:16384kB managed:8kB"
		" mlocked:0kB bounce:0kB free_pcp:0kB local_pcp:0kB free_cma:0kB\n"
		"lowmem_reserve[]: 0 0 0 0\n"
		"Node 0 DMA: 0*4kB 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB"
		" 0*2048kB 1*4096kB (M) = 4096kB\n"
		"Node 0 Normal: 1*4kB (M) 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB"
		" 0*2048kB 0*4096kB = 4kB\n"
		"Node 1 Normal: 0*4kB 1*8kB (M) 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB"
		" 0*2048kB 0*4096kB = 8kB\n"
		"0 total pagecache pages\n0 pages in swap cache\nFree swap  = 0kB\nTotal swap = 0kB\n"
		"12288 pages RAM\n0 pages HighMem/MovableOnly\n11261 pages reserved\n"
		"0 pages cma reserved\n0 pages hwpoisoned\n");
	unit_close(&lab);
}

static void mem_info_in_6_1(void **state)
{
	struct pagus_text t;
	struct lab lab;

	(void)state;
	open_three(&lab, "linux-6.1");
	pagus_text_init(&t, text, sizeof(text));
	pagus_text_show_mem(&lab.p, &t, 0);
	assert_non_null(strstr(text, "\nNode 1" NODE_BEGIN
			       " shmem_thp: 0kB shmem_pmdmapped: 0kB anon_thp: 0kB"
			       " writeback_tmp:0kB" NODE_END "\nNode 0 DMA free:"));
	assert_non_null(strstr(text, "\nNode 0 DMA free:4096kB boost:0kB min:0kB low:0kB high:0kB"
			       " reserved_highatomic:0KB" ZONE_LRU
			       " present:16384kB managed:4096kB mlocked:0kB bounce:0kB"));
	assert_null(strstr(text, "cma reserved"));
	unit_close(&lab);
}

static const char *mem_info_text(const struct lab *lab)
{
	struct pagus_text t;

	pagus_text_init(&t, text, sizeof(text));
	pagus_text_show_mem(&lab->p, &t, 0);
	return text;
}

static const char *zoneinfo_text(const struct lab *lab)
{
	struct pagus_text t;

	pagus_text_init(&t, text, sizeof(text));
	pagus_text_zoneinfo(&lab->p, &t);
	return text;
}

/* After 16 runs of its kswapd that reclaimed nothing, whichever file one reads. */
static void a_node_given_up_is_told(void **state)
{
	const char *second;
	struct lab lab;

	(void)state;
	open_three(&lab, "linux");
	pagus_step_kswapd_failures(&lab.p, 1, 15);
	pagus_step_kswapd_failures(&lab.p, 2, 16); /* there is none */
	assert_null(strstr(mem_info_text(&lab), "yes"));
	assert_null(strstr(zoneinfo_text(&lab), "node_unreclaimable:  1"));
	pagus_step_kswapd_failures(&lab.p, 1, 16);
	second = strstr(mem_info_text(&lab), "all_unreclaimable? yes Balloon:0kB");
	assert_true(second > strstr(text, "\nNode 1 "));
	second = strstr(zoneinfo_text(&lab), "node_unreclaimable:  1");
	assert_true(second > strstr(text, "\nNode 1, zone "));
	unit_close(&lab);
}

static void open_one(struct lab *lab)
{
	static const struct pagus_range zone_8192 = { 0, 8192, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&zone_8192, 1, "linux");

	unit_open(lab, &cfg);
}

static void letters_name_the_types_of_free_blocks(void **state)
{
	struct pagus_text t;
	struct lab lab;

	(void)state;
	open_one(&lab);
	for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++) {
		unit_seed_block(&lab, 512 * type, (enum pagus_migratetype)type);
		unit_seed_free(&lab, 512 * type, 2);
	}
	unit_seed_free(&lab, 512 * PAGUS_RECLAIMABLE + 8, 0);
	unit_seed_free(&lab, 512 * PAGUS_HIGHATOMIC + 8, 0);
	pagus_text_init(&t, text, sizeof(text));
	pagus_text_show_mem(&lab.p, &t, 0);
	assert_non_null(strstr(text, "\nNode 0 Normal: 2*4kB (EH) 0*8kB 6*16kB (UMEHCI) 0*32kB "));
	assert_non_null(strstr(text, " 0*4096kB = 104kB\n"));
	unit_close(&lab);
}

static const char *failure_text(const struct lab *lab, const struct pagus_alloc_failure *failure)
{
	struct pagus_text t;

	pagus_text_init(&t, text, sizeof(text));
	pagus_text_alloc_failure(&lab->p, &t, failure);
	return text;
}

static void expect_first_line(const char *got, const char *want)
{
	assert_non_null(strchr(got, '\n'));
	assert_int_equal(strchr(got, '\n') - got, strlen(want));
	assert_memory_equal(got, want, strlen(want));
	assert_memory_equal(got + strlen(want), "\nMem-Info:\n", 11);
}

static void a_failure_names_its_request(void **state)
{
	struct pagus_alloc_failure failure = { .comm = "modprobe", .gfp = 0xcc0, .order = 5 };
	struct lab lab;

	(void)state;
	open_three(&lab, "linux");
	expect_first_line(failure_text(&lab, &failure),
			  "modprobe: page allocation failure: order:5, mode:0xcc0(GFP_KERNEL),"
			  " nodemask=(null),cpuset=/,mems_allowed=0-1");
	failure = (struct pagus_alloc_failure){
		.comm = "kworker/0:1H", .gfp = 0x140dca, .order = 0, .nodemask = 0xb,
		.cpuset = "system.slice", .mems_allowed = 0x8000000000000075,
	};
	expect_first_line(failure_text(&lab, &failure),
			  "kworker/0:1H: page allocation failure: order:0,"
			  " mode:0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP),"
			  " nodemask=0-1,3,cpuset=system.slice,mems_allowed=0,2,4-6,63");
	failure = (struct pagus_alloc_failure){ .comm = "a", .gfp = 0 };
	expect_first_line(failure_text(&lab, &failure), "a: page allocation failure: order:0,"
			  " mode:0x0(), nodemask=(null),cpuset=/,mems_allowed=0-1");
	unit_close(&lab);
}

static void a_failure_shows_what_the_request_could_reach(void **state)
{
	struct pagus_alloc_failure failure = { .comm = "a", .gfp = GFP_DMA };
	struct lab lab;

	(void)state;
	open_three(&lab, "linux");
	assert_non_null(strstr(failure_text(&lab, &failure), "\nNode 0 DMA free:"));
	assert_null(strstr(text, "Normal"));
	assert_null(strstr(text, "\nNode 1 "));
	failure.gfp = GFP_KERNEL;
	failure.nodemask = 2;
	assert_non_null(strstr(failure_text(&lab, &failure), "\nNode 1 Normal free:"));
	assert_null(strstr(text, "\nNode 0 "));
	failure.nodemask = 0;
	failure.mems_allowed = 1;
	assert_null(strstr(failure_text(&lab, &failure), "\nNode 1 "));
	/* Who cannot reclaim may be in an interrupt: all nodes are shown. */
	failure.gfp = GFP_ATOMIC;
	assert_non_null(strstr(failure_text(&lab, &failure), "\nNode 1 Normal free:"));
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mem_info_in_7_2),
		cmocka_unit_test(mem_info_in_6_1),
		cmocka_unit_test(a_node_given_up_is_told),
		cmocka_unit_test(letters_name_the_types_of_free_blocks),
		cmocka_unit_test(a_failure_names_its_request),
		cmocka_unit_test(a_failure_shows_what_the_request_could_reach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
