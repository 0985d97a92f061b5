/* SPDX-License-Identifier: Apache-2.0 */
/* One map operation over and over, from user space, each call timed by itself. What is not the call (choosing the key,
 * preparing and comparing values, putting keys back) happens outside the time. Called with the GIL released. */
#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKUP, UPDATE, INSERT, DELETE, WALK, LOOKUP_BATCH, UPDATE_BATCH, DELETE_BATCH, TAKE_BATCH };

/* Keys that delete_batch takes away before they are put back: few, so that the fill stays. */
#define CHUNK 1024
#define CHUNK_BYTES (4 << 20)

struct bpftop_loop {
	uint32_t operation;
	uint32_t batch;	      /* keys per call; grows with ENOSPC and stays so */
	uint32_t batch_limit; /* up to here */
	uint32_t generation;  /* of the values to be written */
	uint32_t steady;      /* no other thread changes which keys are there: walks can be counted */
	uint32_t steps;
	uint32_t position;  /* in `order`; kept from run to run */
	uint32_t window;    /* INSERT and DELETE: keys that are gone at any time, so that the next to come back has gone
			       cold */
	uint32_t absent;    /* of these, already gone */
	uint32_t under_way; /* a walk has begun; `cursor` is where it is. Kept from run to run, or each would begin warm
			     */
	uint32_t pass;	    /* keys that this walk gave so far */
	unsigned char *cursor; /* max(key_bytes, 8) of them */
	const uint32_t *order;
	uint64_t clock_ticks; /* to be taken off every time */
	uint64_t run_ns;
	int *waiting; /* threads that have not come to the start yet */
	struct bpftop_times times;
	uint64_t checked; /* values and keys that were compared */
	uint64_t missed;  /* keys that an LRU map had dropped */
	uint64_t singles; /* entries read one by one, because even `batch_limit` was too small */
	struct bpftop_fault fault;
};

struct course { /* what a loop needs while it runs */
	const struct bpftop_subject *s;
	struct bpftop_loop *l;
	uint64_t now_ns, end_ns;
	unsigned char *keys, *values; /* `room` of each */
	unsigned char *cursor, *next; /* of a walk */
	uint32_t room;
};

static void await_others(const struct bpftop_subject *s, int *waiting)
{
	__atomic_sub_fetch(waiting, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(waiting, __ATOMIC_ACQUIRE) > 0 && !stopped(s))
		sched_yield();
}

static inline int over(const struct course *c)
{
	return c->now_ns >= c->end_ns || stopped(c->s);
}

static inline uint32_t next_step(struct bpftop_loop *l)
{
	uint32_t key = l->order[l->position];

	if (++l->position == l->steps)
		l->position = 0;
	return key;
}

static inline void took(struct course *c, uint64_t begin_ns, uint32_t entries)
{
	uint64_t ticks = ticks_between(begin_ns, c->now_ns, c->l->clock_ticks);

	if (entries)
		count_time(&c->l->times, ticks, entries);
	else
		c->l->times.ticks += ticks; /* the last call of a walk finds nothing, and is part of it */
}

static int make_room(struct course *c, uint32_t room)
{
	size_t value_bytes = value_buffer_bytes(c->s);
	unsigned char *keys = realloc(c->keys, (size_t)room * c->s->key_bytes), *values;

	if (keys)
		c->keys = keys;
	values = realloc(c->values, room * value_bytes);
	if (values)
		c->values = values;
	if (!keys || !values)
		return fault(&c->l->fault, ENOMEM, 0, "make a buffer for a batch");
	memset(c->keys, 0, (size_t)room * c->s->key_bytes); /* no page fault within the time */
	memset(c->values, 0, room * value_bytes);
	c->room = room;
	return 0;
}

static int lookup_once(struct course *c)
{
	uint32_t key = next_step(c->l);
	uint64_t begin = clock_ns();
	int rc = bpf_map_lookup_elem(c->s->fd, key_at(c->s, key), c->values);

	c->now_ns = clock_ns();
	if (rc == -ENOENT && c->s->may_miss)
		return c->l->missed++, 0;
	if (rc)
		return fault(&c->l->fault, rc, key, "look a key up");
	took(c, begin, 1);
	c->l->checked++;
	return check_value(c->s, key, c->values, &c->l->fault);
}

/* The value of the loop's generation, into the map; timed where `begin_ns` is asked for. */
static int write_key(struct course *c, uint32_t key, uint64_t flags, uint64_t *begin_ns)
{
	uint64_t pattern = pattern_of(c->l->generation, key);
	int rc;

	write_value(c->s, pattern, c->values);
	set_written(c->s, key, pattern);
	if (!begin_ns)
		return bpf_map_update_elem(c->s->fd, key_at(c->s, key), c->values, flags);
	*begin_ns = clock_ns();
	rc = bpf_map_update_elem(c->s->fd, key_at(c->s, key), c->values, flags);
	c->now_ns = clock_ns();
	return rc;
}

static int update_once(struct course *c)
{
	uint32_t key = next_step(c->l);
	uint64_t begin;
	/* A key that an LRU map has dropped comes back, as it does for programs. */
	int rc = write_key(c, key, c->s->may_miss ? BPF_ANY : BPF_EXIST, &begin);

	if (rc)
		return fault(&c->l->fault, rc, key, "update a key");
	took(c, begin, 1);
	return 0;
}

static int insert(struct course *c, uint32_t key, int timed)
{
	uint64_t begin;
	int rc = write_key(c, key, BPF_NOEXIST, timed ? &begin : NULL);

	if (rc)
		return fault(&c->l->fault, rc, key, timed ? "insert a key" : "put a deleted key back");
	if (timed)
		took(c, begin, 1);
	return 0;
}

static int delete (struct course *c, uint32_t key, int timed)
{
	uint64_t begin = timed ? clock_ns() : 0;
	int rc = bpf_map_delete_elem(c->s->fd, key_at(c->s, key));

	if (timed)
		c->now_ns = clock_ns();
	if (rc && !(rc == -ENOENT && c->s->may_miss))
		return fault(&c->l->fault, rc, key, "delete a key");
	set_written(c->s, key, PATTERN_ABSENT);
	if (rc)
		c->l->missed++;
	else if (timed)
		took(c, begin, 1);
	return 0;
}

/* Take the first keys away. What is deleted when the loop ends, bpftop_fill puts back. */
static int open_window(struct course *c)
{
	struct bpftop_loop *l = c->l;

	for (; l->absent < l->window && !stopped(c->s); l->absent++)
		if (delete (c, l->order[(l->position + l->absent) % l->steps], 0))
			return -1;
	return 0;
}

/* One key goes, and the one that has been gone for longest comes back; one of both is timed. BPF_NOEXIST: that it works
 * proves that the key was gone. */
static int replace_once(struct course *c)
{
	struct bpftop_loop *l = c->l;
	uint64_t ahead = (uint64_t)l->position + l->window;

	if (delete (c, l->order[ahead < l->steps ? ahead : ahead - l->steps], l->operation == DELETE))
		return -1;
	return insert(c, next_step(l), l->operation == INSERT);
}

/* A key that a walk gave: its number, checked to be ours and there. */
static int meet(struct course *c, const unsigned char *key, uint32_t *number)
{
	*number = number_of(c->s, key);
	if (*number == UINT32_MAX)
		return fault(&c->l->fault, ENOKEY, 0, "know a key that a walk gave");
	if (c->s->written[*number] == PATTERN_ABSENT && c->l->steady)
		return fault(&c->l->fault, EEXIST, *number, "find a deleted key gone");
	c->l->pass++;
	c->l->checked++;
	return 0;
}

static int end_of_walk(struct course *c)
{
	uint32_t pass = c->l->pass;

	c->l->pass = 0;
	c->l->under_way = 0;
	if (pass == c->s->universe || c->s->may_miss || !c->l->steady)
		return 0;
	c->l->fault.expected = c->s->universe;
	c->l->fault.found = pass;
	return fault(&c->l->fault, EBADMSG, 0, "count the keys of a walk");
}

static void turn_cursor(struct course *c)
{
	unsigned char *kept = c->cursor;

	c->cursor = c->next;
	c->next = kept;
	c->l->under_way = 1;
}

static int walk_once(struct course *c)
{
	uint64_t begin = clock_ns();
	int rc = bpf_map_get_next_key(c->s->fd, c->l->under_way ? c->cursor : NULL, c->next);
	uint32_t number;

	c->now_ns = clock_ns();
	if (rc == -ENOENT)
		return end_of_walk(c);
	if (rc)
		return fault(&c->l->fault, rc, 0, "get the next key");
	took(c, begin, 1);
	turn_cursor(c);
	return meet(c, c->cursor, &number);
}

/* What batches are there to avoid: the next key, and its value. */
static int read_singly(struct course *c)
{
	uint64_t begin = clock_ns();
	int rc = bpf_map_get_next_key(c->s->fd, c->l->under_way ? c->cursor : NULL, c->next);
	uint32_t number;

	if (!rc)
		rc = bpf_map_lookup_elem(c->s->fd, c->next, c->values);
	if (!rc && c->l->operation == TAKE_BATCH)
		rc = bpf_map_delete_elem(c->s->fd, c->next);
	c->now_ns = clock_ns();
	if (rc == -ENOENT)
		return end_of_walk(c);
	if (rc)
		return fault(&c->l->fault, rc, 0, "read a map without a batch");
	took(c, begin, 1);
	c->l->singles++;
	turn_cursor(c);
	if (meet(c, c->cursor, &number) || check_value(c->s, number, c->values, &c->l->fault))
		return -1;
	/* Put back where it was, the key is valid as a cursor again. */
	return c->l->operation == TAKE_BATCH ? insert(c, number, 0) : 0;
}

static int grow(struct course *c)
{
	uint32_t wanted = c->l->batch > c->l->batch_limit / 2 ? c->l->batch_limit : c->l->batch * 2;

	if (c->l->batch >= c->l->batch_limit) {
		c->l->batch = 0; /* from now on singly */
		c->l->pass = 0;
		c->l->under_way = 0;
		return 0;
	}
	c->l->batch = wanted;
	return wanted > c->room ? make_room(c, wanted) : 0;
}

/* lookup_batch and lookup_and_delete_batch: both walk, from a cursor of the kernel's. */
static int read_batch(struct course *c)
{
	size_t value_bytes = value_buffer_bytes(c->s);
	uint32_t count = c->l->batch, number, i;
	int taking = c->l->operation == TAKE_BATCH, rc;
	uint64_t begin;

	if (!count)
		return read_singly(c);
	begin = clock_ns();
	rc = (taking ? bpf_map_lookup_and_delete_batch : bpf_map_lookup_batch)(
		c->s->fd, c->l->under_way ? c->cursor : NULL, c->next, c->keys, c->values, &count, NULL);
	c->now_ns = clock_ns();
	if (rc == -ENOSPC) /* a bucket has more keys than the batch, and nothing was read */
		return grow(c);
	if (rc && rc != -ENOENT)
		return fault(&c->l->fault, rc, 0, taking ? "look up and delete a batch" : "look a batch up");
	took(c, begin, count);
	for (i = 0; i < count; i++)
		if (meet(c, c->keys + (size_t)i * c->s->key_bytes, &number) ||
		    check_value(c->s, number, c->values + i * value_bytes, &c->l->fault))
			return -1;
	for (i = 0; taking && i < count; i++)
		if (insert(c, number_of(c->s, c->keys + (size_t)i * c->s->key_bytes), 0))
			return -1;
	if (rc)
		return end_of_walk(c);
	turn_cursor(c);
	return 0;
}

static int update_batch(struct course *c)
{
	size_t value_bytes = value_buffer_bytes(c->s);
	uint32_t count = c->l->batch, i;
	uint64_t begin;
	int rc;

	for (i = 0; i < count; i++) {
		uint32_t key = next_step(c->l);
		uint64_t pattern = pattern_of(c->l->generation, key);

		memcpy(c->keys + (size_t)i * c->s->key_bytes, key_at(c->s, key), c->s->key_bytes);
		write_value(c->s, pattern, c->values + i * value_bytes);
		set_written(c->s, key, pattern);
	}
	begin = clock_ns();
	rc = bpf_map_update_batch(c->s->fd, c->keys, c->values, &count, NULL);
	c->now_ns = clock_ns();
	if (rc || count != c->l->batch)
		return fault(&c->l->fault, rc ? rc : EPROTO, 0, "update a batch");
	took(c, begin, count);
	return 0;
}

/* One call on keys order[position...]; an LRU map that has dropped a key ends the call there. Advances *done. */
static int delete_some(struct course *c, const uint32_t *order, uint32_t *done)
{
	uint32_t count = c->l->batch, asked = count, i;
	uint64_t begin;
	int rc;

	for (i = 0; i < count; i++)
		memcpy(c->keys + (size_t)i * c->s->key_bytes, key_at(c->s, order[i]), c->s->key_bytes);
	begin = clock_ns();
	rc = bpf_map_delete_batch(c->s->fd, c->keys, &count, NULL);
	c->now_ns = clock_ns();
	if (rc && !(rc == -ENOENT && c->s->may_miss))
		return fault(&c->l->fault, rc, 0, "delete a batch");
	if (!rc && count != asked)
		return fault(&c->l->fault, EPROTO, 0, "delete a batch");
	if (!rc)
		took(c, begin, count);
	for (i = 0; i < count; i++)
		set_written(c->s, order[i], PATTERN_ABSENT);
	if (!rc)
		return *done += asked, 0;
	for (; i < asked; i++) /* the rest singly, so that the next call begins with a whole batch */
		if (delete (c, order[i], 0))
			return -1;
	return *done += asked, 0;
}

/* The keys order[position...] that are deleted and put back together: how many, a multiple of the batch. */
static uint32_t chunk_of(struct course *c)
{
	struct bpftop_loop *l = c->l;
	size_t fitting = CHUNK_BYTES / value_buffer_bytes(c->s) + 1;
	uint32_t keys = fitting < CHUNK ? (uint32_t)fitting : CHUNK;

	if (l->steps - l->position < l->batch)
		l->position = 0;
	if (keys > l->steps - l->position)
		keys = l->steps - l->position;
	return keys < l->batch ? l->batch : keys - keys % l->batch;
}

static int delete_batch(struct course *c)
{
	struct bpftop_loop *l = c->l;
	uint32_t keys = chunk_of(c), done = 0, i;
	const uint32_t *order = l->order + l->position;

	while (done < keys)
		if (delete_some(c, order + done, &done))
			return -1;
	for (i = 0; i < keys; i++)
		if (insert(c, order[i], 0))
			return -1;
	l->position += keys;
	return 0;
}

static int (*const once[])(struct course *c) = {
	lookup_once, update_once,  replace_once, replace_once, walk_once,
	read_batch,  update_batch, delete_batch, read_batch,
};

/* Run until `run_ns` have passed, an error, or the subject's stop. What it measured and found is in the loop. */
void bpftop_run_loop(const struct bpftop_subject *s, struct bpftop_loop *l)
{
	uint32_t cursor_bytes = s->key_bytes < 8 ? 8 : s->key_bytes;
	struct course c = { .s = s, .l = l };
	unsigned char *cursors;
	int rc = make_room(&c, l->batch ? l->batch : 1);

	cursors = c.cursor = calloc(2, cursor_bytes);
	c.next = cursors + cursor_bytes;
	if (!rc && !cursors)
		rc = fault(&l->fault, ENOMEM, 0, "make a buffer for a cursor");
	if (!rc)
		memcpy(c.cursor, l->cursor, cursor_bytes);
	if (!rc)
		rc = open_window(&c);
	await_others(s, l->waiting);
	c.now_ns = clock_ns();
	c.end_ns = c.now_ns + l->run_ns;
	while (!rc && !over(&c))
		rc = once[l->operation](&c);
	if (cursors)
		memcpy(l->cursor, c.cursor, cursor_bytes);
	free(cursors);
	free(c.keys);
	free(c.values);
}
