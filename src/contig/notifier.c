/* SPDX-License-Identifier: MIT */
/* Chains of notifiers, for ports that have more than one. */
#include <pagus/hotplug.h>

void pagus_notifier_add(struct pagus_notifier **chain, struct pagus_notifier *notifier)
{
	while (*chain && (*chain)->priority >= notifier->priority)
		chain = &(*chain)->next;
	notifier->next = *chain;
	*chain = notifier;
}

void pagus_notifier_remove(struct pagus_notifier **chain, struct pagus_notifier *notifier)
{
	while (*chain && *chain != notifier)
		chain = &(*chain)->next;
	if (*chain)
		*chain = notifier->next;
}

static bool may_refuse(enum pagus_memory_event event)
{
	return event == PAGUS_MEM_GOING_ONLINE || event == PAGUS_MEM_GOING_OFFLINE ||
	       event == PAGUS_NODE_ADDING_FIRST_MEMORY || event == PAGUS_NODE_REMOVING_LAST_MEMORY;
}

bool pagus_notify_chain(const struct pagus_notifier *chain, enum pagus_memory_event event,
			pagus_pfn_t start, uint64_t nr_pages, uint32_t node)
{
	for (; chain; chain = chain->next)
		if (!chain->call(chain->ctx, event, start, nr_pages, node) && may_refuse(event))
			return false;
	return true;
}
