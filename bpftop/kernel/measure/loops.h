/* SPDX-License-Identifier: Apache-2.0 */
/* One map operation over and over, by system calls, each call timed by itself. Choosing keys, preparing and comparing
 * values, and putting keys back happen outside the timed part. Called with the GIL released. */
#ifndef BPFTOP_LOOPS_H
#define BPFTOP_LOOPS_H

#include <stdint.h>

#include "loop_clock.h"
#include "subject.h"

enum bpftop_operation {
	OPERATION_LOOKUP,
	OPERATION_UPDATE,
	OPERATION_INSERT,
	OPERATION_DELETE,
	OPERATION_WALK,
	OPERATION_LOOKUP_BATCH,
	OPERATION_UPDATE_BATCH,
	OPERATION_DELETE_BATCH,
	OPERATION_TAKE_BATCH, /* look up and delete */
};

/* One thread's loop. The fields down to `clock_ticks` stay from run to run. */
struct bpftop_loop {
	enum bpftop_operation operation;
	uint32_t batch; /* keys per call; doubled after ENOSPC up to `batch_limit`, then 0: no batches */
	uint32_t batch_limit;
	uint32_t generation; /* of the values that the loop writes */
	uint32_t steady;     /* no other thread inserts or deletes keys, so the keys of a walk can be counted */
	uint32_t steps;	     /* keys in `order` */
	uint32_t position;   /* next step in `order` */
	uint32_t window; /* INSERT and DELETE: keys deleted at any time, so that a key is cold when it is inserted */
	uint32_t absent; /* keys of the window that are deleted already */
	uint32_t walk_begun; /* `cursor` is the position of a walk; a new walk in each run would begin with a warm cache
			      */
	uint32_t walk_resumed; /* the map changed during the walk, so the keys of this walk cannot be counted */
	uint32_t walk_keys;    /* keys that the walk gave so far */
	unsigned char *cursor; /* max(key_bytes, 8) bytes */
	const uint32_t *order; /* key numbers */
	uint64_t clock_ticks;  /* subtracted from each time */
	uint64_t run_ns;
	int *waiting; /* number of threads that have not come to the start yet */
	struct bpftop_times times;
	uint64_t checked; /* values and keys that were compared */
	uint64_t missed;  /* keys that an LRU map had evicted */
	uint64_t singles; /* entries read one by one, because a bucket has more than `batch_limit` entries */
	struct bpftop_fault fault;
};

/* Run until `run_ns` have passed, a fault occurs, or the subject's *stop is set. */
void bpftop_run_loop(const struct bpftop_subject *subject, struct bpftop_loop *loop);

#ifndef FOR_CFFI
/* Wait until all threads have come to the start. */
void await_others(const struct bpftop_subject *subject, int *waiting);
#endif

#endif
