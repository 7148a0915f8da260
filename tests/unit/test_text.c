/* SPDX-License-Identifier: MIT */
/* Texts in the kernel's formats, where a small machine shows them whole. */
#include "unit/file_text.h"

static const struct pagus_range zone_8192 = { 0, 8192, 0, PAGUS_ZONE_BY_CEILING };

static void open_8192(struct lab *lab, const char *policy)
{
	const struct pagus_config cfg = lab_config(&zone_8192, 1, policy);

	unit_open(lab, &cfg);
}

/* `nr` free blocks of an order from pfn on, none beside its buddy. */
static pagus_pfn_t seed_blocks(struct lab *lab, pagus_pfn_t pfn, uint32_t nr, uint32_t order)
{
	pagus_pfn_t pages = UINT64_C(1) << order;

	pfn = (pfn + 2 * pages - 1) & ~(2 * pages - 1);
	for (uint32_t n = 0; n < nr; n++, pfn += 2 * pages)
		unit_seed_free(lab, pfn, order);
	return pfn;
}

/* ---- GFP masks ------------------------------------------------------------------------------- */

static const char *gfp_text(const struct pagus *p, uint32_t gfp)
{
	struct pagus_text t;

	pagus_text_init(&t, text, sizeof(text));
	pagus_text_gfp(p, &t, gfp);
	return text;
}

static void names_are_taken_greedily(void **state)
{
	(void)state;
	assert_string_equal(gfp_text(NULL, 0), "none");
	assert_string_equal(gfp_text(NULL, GFP_KERNEL), "GFP_KERNEL");
	assert_string_equal(gfp_text(NULL, GFP_KERNEL | __GFP_HARDWALL), "GFP_USER");
	assert_string_equal(gfp_text(NULL, GFP_ATOMIC), "GFP_ATOMIC");
	assert_string_equal(gfp_text(NULL, GFP_ATOMIC | __GFP_NOWARN), "GFP_ATOMIC|__GFP_NOWARN");
	assert_string_equal(gfp_text(NULL, GFP_NOWAIT), "GFP_NOWAIT");
	assert_string_equal(gfp_text(NULL, GFP_TRANSHUGE), "GFP_TRANSHUGE");
	assert_string_equal(gfp_text(NULL, GFP_TRANSHUGE_LIGHT | __GFP_NORETRY),
			    "GFP_TRANSHUGE_LIGHT|__GFP_NORETRY");
	assert_string_equal(gfp_text(NULL, 0x140dca), /* a page fault's */
			    "GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP");
	assert_string_equal(gfp_text(NULL, __GFP_DMA | __GFP_KSWAPD_RECLAIM),
			    "GFP_DMA|__GFP_KSWAPD_RECLAIM");
	assert_string_equal(gfp_text(NULL, GFP_NOIO | 0x80000200u), "GFP_NOIO|0x80000200");
	assert_string_equal(gfp_text(NULL, 0x200), "0x200");
	assert_string_equal(gfp_text(NULL, __GFP_NO_OBJ_EXT), "__GFP_NO_OBJ_EXT");
}

static void names_of_6_1_are_its_own(void **state)
{
	struct lab lab;

	(void)state;
	open_8192(&lab, "linux-6.1");
	assert_string_equal(gfp_text(&lab.p, 0xa20), "GFP_ATOMIC");
	assert_string_equal(gfp_text(&lab.p, 0x820), "GFP_NOWAIT|__GFP_HIGH");
	assert_string_equal(gfp_text(&lab.p, 0x800), "GFP_NOWAIT");
	assert_string_equal(gfp_text(&lab.p, 0x200), "__GFP_ATOMIC");
	assert_string_equal(gfp_text(&lab.p, GFP_KERNEL | __GFP_MOVABLE | __GFP_ZERO),
			    "GFP_KERNEL|__GFP_ZERO|__GFP_MOVABLE");
	assert_string_equal(gfp_text(&lab.p, 0x1000000), "0x1000000");
	unit_close(&lab);
	open_8192(&lab, "linux");
	assert_string_equal(gfp_text(&lab.p, 0x820), "GFP_ATOMIC");
	assert_string_equal(gfp_text(&lab.p, GFP_KERNEL | __GFP_MOVABLE | __GFP_ZERO),
			    "GFP_KERNEL|__GFP_MOVABLE|__GFP_ZERO");
	unit_close(&lab);
}

static void expect_round_trip(const struct pagus *p, uint32_t gfp)
{
	uint32_t back = ~gfp;

	assert_int_equal(pagus_gfp_parse(p, gfp_text(p, gfp), &back), PAGUS_OK);
	assert_int_equal(back, gfp);
}

static void masks_are_read_back(void **state)
{
	static const uint32_t composites[] = {
		0, GFP_ATOMIC, GFP_KERNEL, GFP_KERNEL_ACCOUNT, GFP_NOWAIT, GFP_NOIO, GFP_NOFS, GFP_USER,
		GFP_DMA, GFP_DMA32, GFP_HIGHUSER, GFP_HIGHUSER_MOVABLE, GFP_TRANSHUGE_LIGHT,
		GFP_TRANSHUGE, UINT32_MAX,
	};
	struct lab lab;

	(void)state;
	open_8192(&lab, "linux-6.1");
	for (uint32_t a = 0; a < 32; a++) {
		for (uint32_t b = a; b < 32; b++) {
			expect_round_trip(NULL, 1u << a | 1u << b);
			expect_round_trip(&lab.p, 1u << a | 1u << b);
		}
		for (size_t n = 0; n < NR_OF(composites); n++) {
			expect_round_trip(NULL, composites[n] | 1u << a);
			expect_round_trip(&lab.p, composites[n] | 1u << a);
		}
	}
	for (size_t n = 0; n < NR_OF(composites); n++)
		expect_round_trip(NULL, composites[n]);
	unit_close(&lab);
}

static void other_texts_are_no_masks(void **state)
{
	static const char *const wrong[] = {
		"", "|", "GFP_KERNEL|", "|GFP_KERNEL", "GFP_KERNEL||__GFP_ZERO", "gfp_kernel", "GFP_KERNE",
		"GFP_KERNEL ", "GFP_KERNELS", "0x", "0xg", "0x123456789", "12", "none|GFP_KERNEL",
		"__GFP_ATOMIC",
	};
	uint32_t gfp = 77;

	(void)state;
	for (size_t n = 0; n < NR_OF(wrong); n++) {
		assert_int_equal(pagus_gfp_parse(NULL, wrong[n], &gfp), PAGUS_BAD_VALUE);
		assert_int_equal(gfp, 77);
	}
	assert_int_equal(pagus_gfp_parse(NULL, "__GFP_ZERO|GFP_KERNEL|0xF0000000", &gfp), PAGUS_OK);
	assert_int_equal(gfp, GFP_KERNEL | __GFP_ZERO | 0xf0000000);
	assert_int_equal(pagus_gfp_parse(NULL, "__GFP_DMA|__GFP_DMA32", &gfp), PAGUS_OK);
	assert_int_equal(gfp, 5);
}

/* ---- the sink -------------------------------------------------------------------------------- */

static void a_small_buffer_gets_the_beginning(void **state)
{
	static const char whole[] = "GFP_KERNEL|__GFP_ZERO|0x80000000";
	char buf[64];

	(void)state;
	for (size_t room = 0; room <= sizeof(whole) + 1; room++) {
		struct pagus_text t;

		memset(buf, '#', sizeof(buf));
		pagus_text_init(&t, room ? buf : NULL, room);
		pagus_text_gfp(NULL, &t, GFP_KERNEL | __GFP_ZERO | 0x80000000);
		assert_int_equal(t.length, strlen(whole));
		assert_int_equal(buf[room], '#');
		if (room == 0)
			continue;
		assert_int_equal(strlen(buf), room <= strlen(whole) ? room - 1 : strlen(whole));
		assert_memory_equal(buf, whole, strlen(buf));
	}
}

static void texts_append(void **state)
{
	struct pagus_text t;
	struct lab lab;

	(void)state;
	open_8192(&lab, "linux");
	pagus_text_init(&t, text, sizeof(text));
	assert_string_equal(text, "");
	pagus_text_buddyinfo(&lab.p, &t);
	pagus_text_gfp(&lab.p, &t, GFP_DMA);
	assert_string_equal(text, "Node 0, zone   Normal      0      0      0      0      0      0"
				  "      0      0      0      0      0 \nGFP_DMA");
	unit_close(&lab);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void indices_have_three_decimals(void **state)
{
	static const uint32_t nr[] = { 1024, 200, 40, 8, 1 };
	pagus_pfn_t pfn = 0;
	struct lab lab;

	(void)state;
	open_8192(&lab, "linux");
	for (uint32_t o = 0; o < NR_OF(nr); o++)
		pfn = seed_blocks(&lab, pfn, nr[o], o);
	assert_string_equal(file_text(&lab, pagus_text_buddyinfo),
			    "Node 0, zone   Normal   1024    200     40      8      1      0"
			    "      0      0      0      0      0 \n");
	assert_string_equal(file_text(&lab, pagus_text_extfrag_index),
			    "Node 0, zone   Normal -1.000 -1.000 -1.000 -1.000 -1.000  0.959"
			    "  0.979  0.990  0.995  0.997  0.998 \n");
	assert_string_equal(file_text(&lab, pagus_text_unusable_index),
			    "Node 0, zone   Normal 0.000 0.615 0.855 0.951 0.990 1.000"
			    " 1.000 1.000 1.000 1.000 1.000 \n");
	unit_close(&lab);
}

/* The kernel divides the whole and the rest apart, so a rest below zero has the sign. */
static void negative_indices_are_printed_as_the_kernel_does(void **state)
{
	struct lab lab;

	(void)state;
	open_8192(&lab, "linux");
	seed_blocks(&lab, 0, 1, 3);
	assert_string_equal(file_text(&lab, pagus_text_extfrag_index),
			    "Node 0, zone   Normal -1.000 -1.000 -1.000 -1.000  0.-500  0.-250"
			    "  0.-125  0.-62  0.-31  0.-15  0.-07 \n");
	unit_close(&lab);
	open_8192(&lab, "linux");
	assert_string_equal(file_text(&lab, pagus_text_extfrag_index),
			    "Node 0, zone   Normal  0.000  0.000  0.000  0.000  0.000  0.000"
			    "  0.000  0.000  0.000  0.000  0.000 \n");
	unit_close(&lab);
}

static void long_lists_are_counted_to_100000(void **state)
{
	static const struct pagus_range zone_262144 = { 0, 262144, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&zone_262144, 1, "linux");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	seed_blocks(&lab, 0, 99999, 0);
	assert_non_null(strstr(file_text(&lab, pagus_text_pagetypeinfo), "type      Movable  99999 "));
	unit_seed_free(&lab, 262142, 0);
	assert_non_null(strstr(file_text(&lab, pagus_text_pagetypeinfo),
			       "type      Movable >100000      0 "));
	unit_seed_free(&lab, 262140, 0);
	assert_non_null(strstr(file_text(&lab, pagus_text_pagetypeinfo),
			       "type      Movable >100000      0 "));
	unit_close(&lab);
}

static void pagetypeinfo_has_the_types_of_the_release(void **state)
{
	static const char *const policies[] = { "linux", "linux-6.1" };
	static const char *const headers[] = {
		"\nNumber of blocks type     Unmovable      Movable  Reclaimable   HighAtomic"
		"          CMA      Isolate \n"
		"Node 0, zone   Normal            0           16            0            0"
		"            0            0 \n",
		"\nNumber of blocks type     Unmovable      Movable  Reclaimable   HighAtomic"
		"      Isolate \n"
		"Node 0, zone   Normal            0           16            0            0"
		"            0 \n",
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(policies); n++) {
		struct lab lab;
		const char *at;

		open_8192(&lab, policies[n]);
		at = file_text(&lab, pagus_text_pagetypeinfo);
		assert_memory_equal(at, "Page block order: 9\nPages per block:  512\n\n", 43);
		assert_string_equal(strstr(at, "\nNumber"), headers[n]);
		unit_close(&lab);
	}
}

/* Lines that come and go from release to release. */
static void files_have_the_lines_of_the_release(void **state)
{
	static const char *const policies[] = { "linux-6.1", "linux-6.12", "linux-6.18", "linux" };
	static const struct {
		pagus_text_file *write;
		const char *line;
		const char *releases; /* 1 where the policy's text has it */
	} rows[] = {
		{ pagus_text_zoneinfo, "\n        promo    ", "0111" },
		{ pagus_text_zoneinfo, "\n              high_min: ", "0011" },
		{ pagus_text_zoneinfo, "\n              high:  ", "1111" },
		{ pagus_text_zoneinfo, "\n  reserved_highatomic: ", "0001" },
		{ pagus_text_zoneinfo, "\n      nr_free_pages_blocks", "0011" },
		{ pagus_text_zoneinfo, "\n      nr_bounce", "1100" },
		{ pagus_text_vmstat, "\ncma_alloc_success ", "0111" },
		{ pagus_text_vmstat, "\nnr_vmalloc ", "0001" },
		{ pagus_text_vmstat, "\nallocstall_normal ", "1111" },
	};

	(void)state;
	for (size_t p = 0; p < NR_OF(policies); p++) {
		struct lab lab;

		open_8192(&lab, policies[p]);
		unit_seed_free(&lab, 0, 10);
		unit_inherit(&lab, 1024, 7168, PAGUS_MOVABLE);
		unit_seeded(&lab);
		for (size_t n = 0; n < NR_OF(rows); n++)
			if ((strstr(file_text(&lab, rows[n].write), rows[n].line) != NULL) !=
			    (rows[n].releases[p] == '1'))
				fail_msg("%s: %s", policies[p], rows[n].line);
		unit_close(&lab);
	}
}

static void isolated_blocks_are_free_but_no_free_pages(void **state)
{
	struct lab lab;
	const char *at;

	(void)state;
	open_8192(&lab, "linux");
	unit_seed_block(&lab, 512, PAGUS_ISOLATE);
	unit_seed_block(&lab, 1024, PAGUS_HIGHATOMIC);
	unit_seed_free(&lab, 512, 9);
	unit_seed_free(&lab, 1024, 9);
	unit_seed_free(&lab, 2048, 3);
	at = file_text(&lab, pagus_text_vmstat);
	assert_memory_equal(at, "nr_free_pages 520\nnr_free_pages_blocks 512\n", 43);
	at = file_text(&lab, pagus_text_zoneinfo);
	assert_non_null(strstr(at, "\n  pages free     520\n"));
	assert_non_null(strstr(at, "\n  reserved_highatomic: 512\n  free_highatomic:     512\n"));
	at = file_text(&lab, pagus_text_buddyinfo);
	assert_non_null(strstr(at, "      2      0 \n"));
	unit_close(&lab);
}

static void vmstat_counts_what_the_library_counts(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_8192, 1, "linux");
	struct lab lab;
	const char *at;

	(void)state;
	unit_boot(&lab, &cfg);
	unit_free(&lab, unit_alloc(&lab, GFP_KERNEL, 3), 3);
	unit_alloc(&lab, GFP_KERNEL, 0);
	at = file_text(&lab, pagus_text_vmstat);
	assert_non_null(strstr(at, "\npgalloc_normal 9\npgalloc_movable 0\npgalloc_device 0\n"
				   "allocstall_normal 0\n"));
	assert_non_null(strstr(at, "\npgfree 8\n"));
	assert_null(strstr(at, "pgalloc_dma"));
	assert_null(strstr(at, "pgalloc_high"));
	assert_string_equal(at + strlen(at) - 15, "\nnr_unstable 0\n");
	unit_close(&lab);
}

/* ---- events ---------------------------------------------------------------------------------- */

static const char *event_text(const struct lab *lab, const struct pagus_event *event)
{
	struct pagus_text t;

	pagus_text_init(&t, text, sizeof(text));
	pagus_text_event(&lab->p, &t, event);
	return text;
}

static void events_as_the_tracepoints_print_them(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_8192, 1, "linux");
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	unit_boot(&lab, &cfg);
	lab_listen(&lab, UNIT_ALL_EVENTS);
	pfn = unit_alloc(&lab, GFP_USER_PAGE, 4);
	assert_int_equal(pfn, 0);
	assert_int_equal(lab.nr_events, 2);
	assert_string_equal(event_text(&lab, &lab.log[0]),
			    "mm_page_alloc_zone_locked: page=ffffea0000000000 pfn=0x0 order=4"
			    " migratetype=1 percpu_refill=0\n");
	assert_string_equal(event_text(&lab, &lab.log[1]),
			    "mm_page_alloc: page=ffffea0000000000 pfn=0x0 order=4 migratetype=1"
			    " gfp_flags=GFP_KERNEL|__GFP_MOVABLE\n");
	unit_free(&lab, pfn, 4);
	assert_string_equal(event_text(&lab, &lab.log[2]),
			    "mm_page_free: page=ffffea0000000000 pfn=0x0 order=4\n");
	unit_close(&lab);
}

static void events_by_their_fields(void **state)
{
	static const struct {
		struct pagus_event event;
		const char *want;
	} rows[] = {
		{ { .id = PAGUS_EVENT_ALLOC, .order = 3, .pfn = PAGUS_NO_PFN, .a = 0,
		    .b = PAGUS_NO_MEMORY, .zone = 255 },
		  "mm_page_alloc: page=0000000000000000 pfn=0x0 order=3 migratetype=0"
		  " gfp_flags=none\n" },
		{ { .id = PAGUS_EVENT_PCPU_DRAIN, .order = 0, .pfn = 0x1abc, .migratetype = 2 },
		  "mm_page_pcpu_drain: page=ffffea000006af00 pfn=0x1abc order=0 migratetype=2\n" },
		{ { .id = PAGUS_EVENT_EXTFRAG, .order = 1, .pfn = 512, .migratetype = 0, .a = 10,
		    .b = PAGUS_MOVABLE | UNIT_CLAIMED },
		  "mm_page_alloc_extfrag: page=ffffea0000008000 pfn=0x200 alloc_order=1"
		  " fallback_order=10 pageblock_order=9 alloc_migratetype=0"
		  " fallback_migratetype=1 fragmenting=0 change_ownership=1\n" },
		{ { .id = PAGUS_EVENT_EXTFRAG, .order = 0, .pfn = 512, .migratetype = 2, .a = 8,
		    .b = PAGUS_UNMOVABLE },
		  "mm_page_alloc_extfrag: page=ffffea0000008000 pfn=0x200 alloc_order=0"
		  " fallback_order=8 pageblock_order=9 alloc_migratetype=2"
		  " fallback_migratetype=0 fragmenting=1 change_ownership=0\n" },
		{ { .id = PAGUS_EVENT_REFILL, .order = 2, .pfn = 16, .migratetype = 1, .a = 8, .b = 5 },
		  "pcp_refill: page=ffffea0000000400 pfn=0x10 order=2 migratetype=1 asked=8 got=5\n" },
		{ { .id = PAGUS_EVENT_COMPACT_BEGIN, .pfn = 0x200, .other_pfn = 0x1e00, .a = 1 },
		  "mm_compaction_begin: zone_start=0x0 migrate_pfn=0x200 free_pfn=0x1e00 zone_end=0x2000,"
		  " mode=sync\n" },
		{ { .id = PAGUS_EVENT_COMPACT_END, .pfn = 0x400, .other_pfn = 0x400,
		    .b = PAGUS_COMPACT_WORD_PARTIAL_SKIPPED },
		  "mm_compaction_end: zone_start=0x0 migrate_pfn=0x400 free_pfn=0x400 zone_end=0x2000,"
		  " mode=async status=partial_skipped\n" },
		{ { .id = PAGUS_EVENT_COMPACT_END, .zone = 255 }, "mm_compaction_end: \n" },
		{ { .id = PAGUS_EVENT_COMPACT_SOURCES, .pfn = 0x200, .other_pfn = 0x240, .a = 64, .b = 32 },
		  "mm_compaction_isolate_migratepages: range=(0x200 ~ 0x240) nr_scanned=64 nr_taken=32\n" },
		{ { .id = PAGUS_EVENT_COMPACT_TARGETS, .pfn = 0x1e00, .other_pfn = 0x1e10, .a = 16 },
		  "mm_compaction_isolate_freepages: range=(0x1e00 ~ 0x1e10) nr_scanned=16 nr_taken=0\n" },
		{ { .id = PAGUS_EVENT_COMPACT_LISTED, .pfn = 1, .other_pfn = 2, .b = 1 },
		  "mm_compaction_fast_isolate_freepages: range=(0x1 ~ 0x2) nr_scanned=0 nr_taken=1\n" },
		{ { .id = PAGUS_EVENT_COMPACT_MOVED, .pfn = PAGUS_NO_PFN, .a = 31, .b = 1 },
		  "mm_compaction_migratepages: nr_migrated=31 nr_failed=1\n" },
		{ { .id = PAGUS_EVENT_COMPACT_TRY, .order = 9, .a = GFP_KERNEL, .b = 2 },
		  "mm_compaction_try_to_compact_pages: order=9 gfp_mask=GFP_KERNEL priority=2\n" },
		{ { .id = PAGUS_EVENT_COMPACT_SUITABLE, .order = 9, .a = PAGUS_COMPACT_WORD_NOT_SUITABLE_ZONE },
		  "mm_compaction_suitable: node=0 zone=Normal   order=9 ret=not_suitable_zone\n" },
		{ { .id = PAGUS_EVENT_COMPACT_FINISHED, .order = 255, .a = PAGUS_COMPACT_WORD_CONTINUE },
		  "mm_compaction_finished: node=0 zone=Normal   order=-1 ret=continue\n" },
		{ { .id = PAGUS_EVENT_COMPACT_DEFERRED, .order = 9, .a = 9, .b = 1 | 2 << 16 },
		  "mm_compaction_deferred: node=0 zone=Normal   order=9 order_failed=9 consider=1 limit=2\n" },
		{ { .id = PAGUS_EVENT_COMPACT_DEFER, .order = 4, .a = 4, .b = 64 << 16 },
		  "mm_compaction_defer_compaction: node=0 zone=Normal   order=4 order_failed=4 consider=0"
		  " limit=64\n" },
		{ { .id = PAGUS_EVENT_COMPACT_DEFER_RESET, .order = 4, .a = 5, .b = 1 << 16 },
		  "mm_compaction_defer_reset: node=0 zone=Normal   order=4 order_failed=5 consider=0 limit=1\n" },
		{ { .id = PAGUS_EVENT_KCOMPACTD_SLEEP, .zone = 255, .a = 1 }, "mm_compaction_kcompactd_sleep: nid=1\n" },
		{ { .id = PAGUS_EVENT_KCOMPACTD_WAKEUP, .zone = 255, .order = 9, .b = PAGUS_ZONE_NORMAL },
		  "mm_compaction_wakeup_kcompactd: nid=0 order=9 classzone_idx=Normal  \n" },
		{ { .id = PAGUS_EVENT_KCOMPACTD_WAKE, .zone = 255, .order = 3, .a = 1, .b = PAGUS_ZONE_MOVABLE },
		  "mm_compaction_kcompactd_wake: nid=1 order=3 classzone_idx=Movable \n" },
		{ { .id = PAGUS_NR_EVENTS }, "" },
	};
	struct lab lab;

	(void)state;
	open_8192(&lab, "linux");
	for (size_t n = 0; n < NR_OF(rows); n++)
		assert_string_equal(event_text(&lab, &rows[n].event), rows[n].want);
	unit_close(&lab);
}

/* 6.1 has no CMA, so that Isolate is its type 4, and numbers GFP bits in its own way. */
static void events_number_types_as_the_release_does(void **state)
{
	const struct pagus_event drain = { .id = PAGUS_EVENT_PCPU_DRAIN, .pfn = 1,
					   .migratetype = PAGUS_ISOLATE };
	const struct pagus_event alloc = { .id = PAGUS_EVENT_ALLOC, .pfn = 1, .a = 0xa20 };
	struct lab lab;

	(void)state;
	open_8192(&lab, "linux");
	assert_non_null(strstr(event_text(&lab, &drain), " migratetype=5\n"));
	assert_non_null(strstr(event_text(&lab, &alloc), " gfp_flags=GFP_ATOMIC|0x200\n"));
	unit_close(&lab);
	open_8192(&lab, "linux-6.1");
	assert_non_null(strstr(event_text(&lab, &drain), " migratetype=4\n"));
	assert_non_null(strstr(event_text(&lab, &alloc), " gfp_flags=GFP_ATOMIC\n"));
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_taken_greedily),
		cmocka_unit_test(names_of_6_1_are_its_own),
		cmocka_unit_test(masks_are_read_back),
		cmocka_unit_test(other_texts_are_no_masks),
		cmocka_unit_test(a_small_buffer_gets_the_beginning),
		cmocka_unit_test(texts_append),
		cmocka_unit_test(indices_have_three_decimals),
		cmocka_unit_test(negative_indices_are_printed_as_the_kernel_does),
		cmocka_unit_test(long_lists_are_counted_to_100000),
		cmocka_unit_test(pagetypeinfo_has_the_types_of_the_release),
		cmocka_unit_test(files_have_the_lines_of_the_release),
		cmocka_unit_test(isolated_blocks_are_free_but_no_free_pages),
		cmocka_unit_test(vmstat_counts_what_the_library_counts),
		cmocka_unit_test(events_as_the_tracepoints_print_them),
		cmocka_unit_test(events_by_their_fields),
		cmocka_unit_test(events_number_types_as_the_release_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
