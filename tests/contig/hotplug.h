/* SPDX-License-Identifier: MIT */
/* What the tests of memory hotplug share: a machine with room, and notifiers. */
#ifndef TEST_HOTPLUG_H
#define TEST_HOTPLUG_H

#include "contig/contig.h"

#include <pagus/hotplug.h>
#include <string.h>

#define MAX_TOLD 64

/* Three notifiers, and what each was told. */
struct plug_lab;
struct plug_notifier {
	struct pagus_notifier notifier;
	struct plug_lab *lab;
	uint32_t nr_told;
	enum pagus_memory_event told[MAX_TOLD];
};

struct plug_lab {
	struct contig_lab l;
	struct pagus_port port;
	struct pagus_notifier *chain;
	struct plug_notifier notifier[3];
	enum pagus_memory_event veto; /* of notifier 1; PAGUS_NR_MEMORY_EVENTS: of nothing */
	void (*at)(struct plug_lab *h, enum pagus_memory_event event); /* in the last notifier */
	uint32_t cancel;
	uint32_t nr_waits, cancel_at; /* the n-th wait sets `cancel`, 0: none */
	void (*waiting)(struct plug_lab *h);
	bool waits_are_many;
	uint64_t kept_from, kept_end; /* pfns that online_page keeps */
};

static inline struct plug_lab *plug_lab_of(void *ctx)
{
	struct pagus_sim *sim = ctx;

	return (struct plug_lab *)((char *)sim - offsetof(struct plug_lab, l.lab.sim));
}

static inline bool plug_told(void *ctx, enum pagus_memory_event event, pagus_pfn_t start,
			     uint64_t nr_pages, uint32_t node)
{
	struct plug_notifier *n = ctx;
	struct plug_lab *h = n->lab;

	(void)node;
	assert_true(nr_pages > 0 && start < h->l.owner.nr_pages);
	assert_int_equal(h->l.lab.sim.pins, 0);
	assert_true(n->nr_told < MAX_TOLD);
	n->told[n->nr_told++] = event;
	if (n == &h->notifier[2] && h->at)
		h->at(h, event);
	return n != &h->notifier[1] || event != h->veto;
}

static inline bool plug_notify(void *ctx, enum pagus_memory_event event, uint64_t start,
			       uint64_t nr_pages, uint32_t node)
{
	return pagus_notify_chain(plug_lab_of(ctx)->chain, event, start, nr_pages, node);
}

static inline void plug_wait(void *ctx, enum pagus_wait why)
{
	struct plug_lab *h = plug_lab_of(ctx);

	(void)why;
	h->nr_waits++;
	if (h->waiting)
		h->waiting(h);
	if (h->nr_waits == h->cancel_at)
		h->cancel = 1;
	/* Who waits for ever would hang the test. */
	assert_true(h->nr_waits < 1000 || h->waits_are_many);
}

static inline bool plug_online_page(void *ctx, uint64_t pfn, uint32_t order)
{
	struct plug_lab *h = plug_lab_of(ctx);

	(void)order;
	return pfn < h->kept_from || pfn >= h->kept_end;
}

static inline void plug_open(struct plug_lab *h, const struct pagus_config *cfg, uint64_t nr_pages)
{
	contig_boot(&h->l, cfg, nr_pages, 256);
	h->port = pagus_sim_owner_port;
	h->port.memory_notify = plug_notify;
	h->port.wait = plug_wait;
	h->l.lab.p.port = &h->port;
	h->chain = NULL;
	h->veto = PAGUS_NR_MEMORY_EVENTS;
	h->at = NULL;
	h->waiting = NULL;
	h->waits_are_many = false;
	h->cancel = h->nr_waits = h->cancel_at = 0;
	/* Added in another order than they are to be called in. */
	for (uint32_t n = 3; n-- > 0;) {
		h->notifier[n] = (struct plug_notifier){
			.notifier = { .call = plug_told, .ctx = &h->notifier[n],
				      .priority = 10 - (int32_t)n },
			.lab = h,
		};
		pagus_notifier_add(&h->chain, &h->notifier[n].notifier);
	}
}

static inline void plug_close(struct plug_lab *h)
{
	contig_close(&h->l);
}

static inline void plug_forget_told(struct plug_lab *h)
{
	for (uint32_t n = 0; n < 3; n++)
		h->notifier[n].nr_told = 0;
}

/* What one notifier was told, in order. */
static inline void plug_expect_told(const struct plug_lab *h, uint32_t n,
				    const enum pagus_memory_event *events, uint32_t nr)
{
	assert_int_equal(h->notifier[n].nr_told, nr);
	for (uint32_t k = 0; k < nr; k++)
		assert_string_equal(pagus_memory_event_name(h->notifier[n].told[k]),
				    pagus_memory_event_name(events[k]));
}

#define TOLD(...)                                                                                  \
	(const enum pagus_memory_event[]){ __VA_ARGS__ },                                         \
		NR_OF(((const enum pagus_memory_event[]){ __VA_ARGS__ }))

static inline enum pagus_status plug_on(struct plug_lab *h, pagus_pfn_t start, uint64_t nr_pages,
					enum pagus_online how)
{
	enum pagus_status status = pagus_online(&h->l.lab.p, start, nr_pages, how);

	contig_check(&h->l);
	return status;
}

static inline enum pagus_status plug_off(struct plug_lab *h, pagus_pfn_t start, uint64_t nr_pages)
{
	enum pagus_status status;

	h->cancel = h->nr_waits = 0;
	status = pagus_offline(&h->l.lab.p, start, nr_pages, &h->cancel, NULL);
	contig_check(&h->l);
	return status;
}

#endif
