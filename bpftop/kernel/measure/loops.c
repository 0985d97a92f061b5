/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "loops.h"

/* At most so many keys are deleted before they are put back: few, so that the fill level stays. */
#define DELETED_KEYS_MAX 1024
#define DELETED_BYTES_MAX (4 << 20)

/* State of a loop during one run. */
struct loop_run {
	const struct bpftop_subject *subject;
	struct bpftop_loop *loop;
	uint64_t now_ns, end_ns;
	unsigned char *keys, *values; /* buffers for `room` keys and values */
	unsigned char *cursor, *next; /* position of a walk, and where the next call writes the next position */
	uint32_t room;
};

void await_others(const struct bpftop_subject *subject, int *waiting)
{
	__atomic_sub_fetch(waiting, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(waiting, __ATOMIC_ACQUIRE) > 0 && !stopped(subject))
		sched_yield();
}

static inline int is_over(const struct loop_run *run)
{
	return run->now_ns >= run->end_ns || stopped(run->subject);
}

static inline uint32_t next_step(struct bpftop_loop *loop)
{
	uint32_t key = loop->order[loop->position];

	if (++loop->position == loop->steps)
		loop->position = 0;
	return key;
}

static inline void record_time(struct loop_run *run, uint64_t begin_ns, uint32_t entries)
{
	uint64_t ticks = ticks_between(begin_ns, run->now_ns, run->loop->clock_ticks);

	if (entries)
		count_time(&run->loop->times, ticks, entries);
	else /* the last call of a walk gives no entry, but its time is part of the walk */
		run->loop->times.ticks += ticks;
}

static int make_room(struct loop_run *run, uint32_t room)
{
	size_t value_bytes = value_buffer_bytes(run->subject);
	unsigned char *keys = realloc(run->keys, (size_t)room * run->subject->key_bytes), *values;

	if (keys)
		run->keys = keys;
	values = realloc(run->values, room * value_bytes);
	if (values)
		run->values = values;
	if (!keys || !values)
		return set_fault(&run->loop->fault, ENOMEM, 0, "make a buffer for a batch");
	memset(run->keys, 0, (size_t)room * run->subject->key_bytes); /* no page fault in the timed part */
	memset(run->values, 0, room * value_bytes);
	run->room = room;
	return 0;
}

static int lookup_once(struct loop_run *run)
{
	uint32_t key = next_step(run->loop);
	uint64_t begin = monotonic_ns();
	int rc = bpf_map_lookup_elem(run->subject->fd, key_at(run->subject, key), run->values);

	run->now_ns = monotonic_ns();
	if (rc == -ENOENT && run->subject->may_miss) {
		run->loop->missed++;
		return 0;
	}
	if (rc)
		return set_fault(&run->loop->fault, rc, key, "look a key up");
	record_time(run, begin, 1);
	run->loop->checked++;
	return check_value(run->subject, key, run->values, &run->loop->fault);
}

/* Write the value of the loop's generation. With `begin_ns`, time the call. */
static int write_key(struct loop_run *run, uint32_t key, uint64_t flags, uint64_t *begin_ns)
{
	uint64_t pattern = pattern_of(run->loop->generation, key);
	int rc;

	write_value(run->subject, pattern, run->values);
	set_written(run->subject, key, pattern);
	if (!begin_ns)
		return bpf_map_update_elem(run->subject->fd, key_at(run->subject, key), run->values, flags);
	*begin_ns = monotonic_ns();
	rc = bpf_map_update_elem(run->subject->fd, key_at(run->subject, key), run->values, flags);
	run->now_ns = monotonic_ns();
	return rc;
}

static int update_once(struct loop_run *run)
{
	uint32_t key = next_step(run->loop);
	uint64_t begin;
	/* An update inserts a key that an LRU map has evicted, as it does for programs. */
	int rc = write_key(run, key, run->subject->may_miss ? BPF_ANY : BPF_EXIST, &begin);

	if (rc)
		return set_fault(&run->loop->fault, rc, key, "update a key");
	record_time(run, begin, 1);
	return 0;
}

static int insert_key(struct loop_run *run, uint32_t key, int timed)
{
	uint64_t begin;
	int rc = write_key(run, key, BPF_NOEXIST, timed ? &begin : NULL);

	if (rc)
		return set_fault(&run->loop->fault, rc, key, timed ? "insert a key" : "put a deleted key back");
	if (timed)
		record_time(run, begin, 1);
	return 0;
}

static int delete_key(struct loop_run *run, uint32_t key, int timed)
{
	uint64_t begin = timed ? monotonic_ns() : 0;
	int rc = bpf_map_delete_elem(run->subject->fd, key_at(run->subject, key));

	if (timed)
		run->now_ns = monotonic_ns();
	if (rc && !(rc == -ENOENT && run->subject->may_miss))
		return set_fault(&run->loop->fault, rc, key, "delete a key");
	set_written(run->subject, key, PATTERN_ABSENT);
	if (rc)
		run->loop->missed++;
	else if (timed)
		record_time(run, begin, 1);
	return 0;
}

/* Delete the keys of the window. bpftop_fill() puts them back after the loop. */
static int open_window(struct loop_run *run)
{
	struct bpftop_loop *loop = run->loop;

	for (; loop->absent < loop->window && !stopped(run->subject); loop->absent++)
		if (delete_key(run, loop->order[(loop->position + loop->absent) % loop->steps], 0))
			return -1;
	return 0;
}

/* Delete one key and insert the key that was deleted longest ago; time only the loop's operation. BPF_NOEXIST proves
 * that the key was deleted. */
static int replace_once(struct loop_run *run)
{
	struct bpftop_loop *loop = run->loop;
	uint64_t ahead = (uint64_t)loop->position + loop->window;

	if (delete_key(run, loop->order[ahead < loop->steps ? ahead : ahead - loop->steps],
		       loop->operation == OPERATION_DELETE))
		return -1;
	return insert_key(run, next_step(loop), loop->operation == OPERATION_INSERT);
}

/* Find the number of a key that a walk gave, and check that the key is the subject's and not deleted. */
static int check_walked_key(struct loop_run *run, const unsigned char *key, uint32_t *number)
{
	*number = number_of(run->subject, key);
	if (*number == UINT32_MAX)
		return set_fault(&run->loop->fault, ENOKEY, 0, "know a key that a walk gave");
	if (run->subject->written[*number] == PATTERN_ABSENT && run->loop->steady)
		return set_fault(&run->loop->fault, EEXIST, *number, "find a deleted key gone");
	run->loop->walk_keys++;
	run->loop->checked++;
	return 0;
}

static int end_of_walk(struct loop_run *run)
{
	uint32_t keys = run->loop->walk_keys, resumed = run->loop->walk_resumed;

	run->loop->walk_keys = 0;
	run->loop->walk_begun = 0;
	run->loop->walk_resumed = 0;
	if (keys == run->subject->universe || run->subject->may_miss || !run->loop->steady || resumed)
		return 0;
	run->loop->fault.expected = run->subject->universe;
	run->loop->fault.actual = keys;
	return set_fault(&run->loop->fault, EBADMSG, 0, "count the keys of a walk");
}

static void advance_cursor(struct loop_run *run)
{
	unsigned char *previous = run->cursor;

	run->cursor = run->next;
	run->next = previous;
	run->loop->walk_begun = 1;
}

static int walk_once(struct loop_run *run)
{
	uint64_t begin = monotonic_ns();
	int rc = bpf_map_get_next_key(run->subject->fd, run->loop->walk_begun ? run->cursor : NULL, run->next);
	uint32_t number;

	run->now_ns = monotonic_ns();
	if (rc == -ENOENT)
		return end_of_walk(run);
	if (rc)
		return set_fault(&run->loop->fault, rc, 0, "get the next key");
	record_time(run, begin, 1);
	advance_cursor(run);
	return check_walked_key(run, run->cursor, &number);
}

/* Read one entry without a batch: the next key, then its value. */
static int read_singly(struct loop_run *run)
{
	uint64_t begin = monotonic_ns();
	int rc = bpf_map_get_next_key(run->subject->fd, run->loop->walk_begun ? run->cursor : NULL, run->next);
	uint32_t number;

	if (!rc)
		rc = bpf_map_lookup_elem(run->subject->fd, run->next, run->values);
	if (!rc && run->loop->operation == OPERATION_TAKE_BATCH)
		rc = bpf_map_delete_elem(run->subject->fd, run->next);
	run->now_ns = monotonic_ns();
	if (rc == -ENOENT)
		return end_of_walk(run);
	if (rc)
		return set_fault(&run->loop->fault, rc, 0, "read a map without a batch");
	record_time(run, begin, 1);
	run->loop->singles++;
	advance_cursor(run);
	if (check_walked_key(run, run->cursor, &number) ||
	    check_value(run->subject, number, run->values, &run->loop->fault))
		return -1;
	/* The cursor is valid again once its key is back. */
	return run->loop->operation == OPERATION_TAKE_BATCH ? insert_key(run, number, 0) : 0;
}

static int grow_batch(struct loop_run *run)
{
	uint32_t wanted = run->loop->batch > run->loop->batch_limit / 2 ? run->loop->batch_limit : run->loop->batch * 2;

	if (run->loop->batch >= run->loop->batch_limit) {
		run->loop->batch = 0; /* from now on one by one */
		run->loop->walk_keys = 0;
		run->loop->walk_begun = 0;
		run->loop->walk_resumed = 0;
		return 0;
	}
	run->loop->batch = wanted;
	return wanted > run->room ? make_room(run, wanted) : 0;
}

/* LOOKUP_BATCH and TAKE_BATCH: both walk the map by a cursor that the kernel writes. */
static int read_batch(struct loop_run *run)
{
	size_t value_bytes = value_buffer_bytes(run->subject);
	uint32_t count = run->loop->batch, number, i;
	int taking = run->loop->operation == OPERATION_TAKE_BATCH, rc;
	void *from = run->loop->walk_begun ? run->cursor : NULL;
	uint64_t begin;

	if (!count)
		return read_singly(run);
	begin = monotonic_ns();
	if (taking)
		rc = bpf_map_lookup_and_delete_batch(run->subject->fd, from, run->next, run->keys, run->values, &count,
						     NULL);
	else
		rc = bpf_map_lookup_batch(run->subject->fd, from, run->next, run->keys, run->values, &count, NULL);
	run->now_ns = monotonic_ns();
	if (rc == -ENOSPC) /* a bucket has more keys than the batch; no key was read */
		return grow_batch(run);
	if (rc && rc != -ENOENT)
		return set_fault(&run->loop->fault, rc, 0, taking ? "look up and delete a batch" : "look a batch up");
	record_time(run, begin, count);
	for (i = 0; i < count; i++)
		if (check_walked_key(run, run->keys + (size_t)i * run->subject->key_bytes, &number) ||
		    check_value(run->subject, number, run->values + i * value_bytes, &run->loop->fault))
			return -1;
	for (i = 0; taking && i < count; i++)
		if (insert_key(run, number_of(run->subject, run->keys + (size_t)i * run->subject->key_bytes), 0))
			return -1;
	if (rc)
		return end_of_walk(run);
	advance_cursor(run);
	return 0;
}

static int update_batch(struct loop_run *run)
{
	size_t value_bytes = value_buffer_bytes(run->subject);
	uint32_t count = run->loop->batch, i;
	uint64_t begin;
	int rc;

	for (i = 0; i < count; i++) {
		uint32_t key = next_step(run->loop);
		uint64_t pattern = pattern_of(run->loop->generation, key);

		memcpy(run->keys + (size_t)i * run->subject->key_bytes, key_at(run->subject, key),
		       run->subject->key_bytes);
		write_value(run->subject, pattern, run->values + i * value_bytes);
		set_written(run->subject, key, pattern);
	}
	begin = monotonic_ns();
	rc = bpf_map_update_batch(run->subject->fd, run->keys, run->values, &count, NULL);
	run->now_ns = monotonic_ns();
	if (rc || count != run->loop->batch)
		return set_fault(&run->loop->fault, rc ? rc : EPROTO, 0, "update a batch");
	record_time(run, begin, count);
	return 0;
}

/* Delete one batch of the keys `order` and add its size to *done. An evicted key (LRU) ends the call early. */
static int delete_one_batch(struct loop_run *run, const uint32_t *order, uint32_t *done)
{
	uint32_t batch = run->loop->batch, count = batch, i;
	uint64_t begin;
	int rc;

	for (i = 0; i < count; i++)
		memcpy(run->keys + (size_t)i * run->subject->key_bytes, key_at(run->subject, order[i]),
		       run->subject->key_bytes);
	begin = monotonic_ns();
	rc = bpf_map_delete_batch(run->subject->fd, run->keys, &count, NULL);
	run->now_ns = monotonic_ns();
	if (rc && !(rc == -ENOENT && run->subject->may_miss))
		return set_fault(&run->loop->fault, rc, 0, "delete a batch");
	if (!rc && count != batch)
		return set_fault(&run->loop->fault, EPROTO, 0, "delete a batch");
	if (!rc)
		record_time(run, begin, count);
	for (i = 0; i < count; i++)
		set_written(run->subject, order[i], PATTERN_ABSENT);
	for (; i < batch; i++) /* the rest one by one, so that the next call deletes a whole batch */
		if (delete_key(run, order[i], 0))
			return -1;
	*done += batch;
	return 0;
}

/* Return how many keys to delete before they are put back: a multiple of the batch. */
static uint32_t keys_to_delete(struct loop_run *run)
{
	struct bpftop_loop *loop = run->loop;
	size_t fitting = DELETED_BYTES_MAX / value_buffer_bytes(run->subject) + 1;
	uint32_t keys = fitting < DELETED_KEYS_MAX ? (uint32_t)fitting : DELETED_KEYS_MAX;

	if (loop->steps - loop->position < loop->batch)
		loop->position = 0;
	if (keys > loop->steps - loop->position)
		keys = loop->steps - loop->position;
	return keys < loop->batch ? loop->batch : keys - keys % loop->batch;
}

static int delete_batch(struct loop_run *run)
{
	struct bpftop_loop *loop = run->loop;
	uint32_t keys = keys_to_delete(run), done = 0, i;
	const uint32_t *order = loop->order + loop->position;

	while (done < keys)
		if (delete_one_batch(run, order + done, &done))
			return -1;
	for (i = 0; i < keys; i++)
		if (insert_key(run, order[i], 0))
			return -1;
	loop->position += keys;
	return 0;
}

static int (*const run_once[])(struct loop_run *run) = {
	[OPERATION_LOOKUP] = lookup_once,
	[OPERATION_UPDATE] = update_once,
	[OPERATION_INSERT] = replace_once,
	[OPERATION_DELETE] = replace_once,
	[OPERATION_WALK] = walk_once,
	[OPERATION_LOOKUP_BATCH] = read_batch,
	[OPERATION_UPDATE_BATCH] = update_batch,
	[OPERATION_DELETE_BATCH] = delete_batch,
	[OPERATION_TAKE_BATCH] = read_batch,
};

void bpftop_run_loop(const struct bpftop_subject *subject, struct bpftop_loop *loop)
{
	uint32_t cursor_bytes = subject->key_bytes < 8 ? 8 : subject->key_bytes;
	struct loop_run run = { .subject = subject, .loop = loop };
	unsigned char *cursors;
	int rc = make_room(&run, loop->batch ? loop->batch : 1);

	cursors = run.cursor = calloc(2, cursor_bytes);
	run.next = cursors + cursor_bytes;
	if (!rc && !cursors)
		rc = set_fault(&loop->fault, ENOMEM, 0, "make a buffer for a cursor");
	if (!rc)
		memcpy(run.cursor, loop->cursor, cursor_bytes);
	if (!rc)
		rc = open_window(&run);
	await_others(subject, loop->waiting);
	run.now_ns = monotonic_ns();
	run.end_ns = run.now_ns + loop->run_ns;
	while (!rc && !is_over(&run))
		rc = run_once[loop->operation](&run);
	if (cursors)
		memcpy(loop->cursor, run.cursor, cursor_bytes);
	free(cursors);
	free(run.keys);
	free(run.values);
}
