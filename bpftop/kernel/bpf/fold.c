/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>

#include "fold.h"

#define COMMON_CELLS (sizeof(struct common_counters) / sizeof(struct cell))
#define PLAIN_CELLS (PLAIN_L3_CLASSES * PLAIN_CLASSES * SIZE_BINS)

static void add_cell(struct cell *to, const struct cell *from)
{
	to->packets += from->packets;
	to->bytes += from->bytes;
}

/* Add what one CPU counted in `plain` to the cells that it stands for: see struct common_counters. */
static void spread_plain(struct common_counters *common, struct cell *protocols)
{
	static const uint32_t icmp_protocols[PLAIN_L3_CLASSES] = { [L3_IPV4] = 1, [L3_IPV6] = 58 };
	uint32_t l3, class, bin;

	for (l3 = 0; l3 < PLAIN_L3_CLASSES; l3++) {
		for (class = 0; class < PLAIN_CLASSES; class ++) {
			struct cell all = { .packets = 0, .bytes = 0 };

			for (bin = 0; bin < SIZE_BINS; bin++) {
				const struct cell *plain = &common->plain[l3][class][bin];

				add_cell(&common->joint[l3][CAST_UNICAST][bin], plain);
				add_cell(&all, plain);
			}
			if (class < PLAIN_UDP)
				add_cell(&common->tcp_flags[class], &all);
			else if (class > PLAIN_UDP && class < PLAIN_ICMP)
				add_cell(&common->udp_ports[class - PLAIN_UDP - 1], &all);
			add_cell(&protocols[class < PLAIN_UDP	 ? 6
					    : class < PLAIN_ICMP ? 17
								 : icmp_protocols[l3]],
				 &all);
		}
	}
}

uint32_t bpftop_fold_protocols(struct counter_row *rows, uint32_t cpus, uint64_t *protocols, uint32_t *protocol_numbers)
{
	struct counter_row *common = rows + (size_t)ROW_COMMON * cpus, *row = rows + (size_t)ROW_PROTOCOLS * cpus;
	uint32_t active = 0, cpu, protocol;

	for (cpu = 0; cpu < cpus; cpu++)
		spread_plain((struct common_counters *)&common[cpu], row[cpu].cells);
	for (protocol = 0; protocol < PROTOCOLS; protocol++) {
		uint64_t any = 0;

		for (cpu = 0; cpu < cpus; cpu++)
			any |= row[cpu].cells[protocol].packets;
		if (!any)
			continue;
		for (cpu = 0; cpu < cpus; cpu++, protocols++) {
			protocols[0] = row[cpu].cells[protocol].packets;
			protocols[cpus] = row[cpu].cells[protocol].bytes;
		}
		protocols += cpus;
		protocol_numbers[active++] = protocol;
	}
	return active;
}

static uint32_t fold_cells(const struct counter_row *row, uint32_t cpus, uint32_t first, uint32_t count,
			   uint32_t number, struct cell *cells, uint32_t *numbers)
{
	uint32_t active = 0, cell, cpu;

	for (cell = first; cell < first + count; cell++) {
		struct cell all = { .packets = 0, .bytes = 0 };

		for (cpu = 0; cpu < cpus; cpu++)
			add_cell(&all, &row[cpu].cells[cell]);
		if (!all.packets)
			continue;
		cells[active] = all;
		numbers[active++] = number + cell - first;
	}
	return active;
}

uint32_t bpftop_fold_breakdowns(const struct counter_row *rows, uint32_t cpus, struct cell *cells, uint32_t *numbers)
{
	uint32_t types = COMMON_CELLS - PLAIN_CELLS, active;

	active = fold_cells(rows + (size_t)ROW_COMMON * cpus, cpus, PLAIN_CELLS, types, 0, cells, numbers);
	active += fold_cells(rows + (size_t)ROW_ICMP * cpus, cpus, 0, ICMP_TYPES, types, cells + active,
			     numbers + active);
	active += fold_cells(rows + (size_t)ROW_ICMPV6 * cpus, cpus, 0, ICMP_TYPES, types + ICMP_TYPES, cells + active,
			     numbers + active);
	return active;
}

void bpftop_sum_cpus(const uint64_t *values, uint32_t rows, uint32_t cpus, uint32_t words, uint64_t *sums)
{
	memset(sums, 0, (size_t)rows * words * sizeof(*sums));
	for (uint32_t row = 0; row < rows; row++, sums += words)
		for (uint32_t cpu = 0; cpu < cpus; cpu++, values += words)
			for (uint32_t word = 0; word < words; word++)
				sums[word] += values[word];
}
