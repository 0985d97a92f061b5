/* What Python may call: libbpf's functions, and ours in the .c files beside this one. cffi reads this, no compiler
 * does. */

struct bpf_object;
struct bpf_program;
struct bpf_map;
struct bpf_insn;

struct bpf_object *bpf_object__open_file(const char *path, const void *opts);
int bpf_object__load(struct bpf_object *object);
void bpf_object__close(struct bpf_object *object);
struct bpf_program *bpf_object__next_program(const struct bpf_object *object, struct bpf_program *program);
const char *bpf_program__name(const struct bpf_program *program);
int bpf_program__set_autoload(struct bpf_program *program, bool autoload);
int bpf_program__fd(const struct bpf_program *program);
int bpf_object__find_map_fd_by_name(const struct bpf_object *object, const char *name);
int bpf_program__set_attach_target(struct bpf_program *program, int attach_prog_fd, const char *attach_func_name);
int bpf_raw_tracepoint_open(const char *name, int prog_fd);
int libbpf_num_possible_cpus(void);

struct bpf_link_create_opts {
	size_t sz;
	uint32_t flags;
	...;
};
int bpf_link_create(int prog_fd, int target_fd, int attach_type, const struct bpf_link_create_opts *opts);

struct bpf_tc_hook {
	size_t sz;
	int ifindex;
	int attach_point;
	uint32_t parent;
	...;
};
struct bpf_tc_opts {
	size_t sz;
	int prog_fd;
	uint32_t flags;
	uint32_t prog_id;
	uint32_t handle;
	uint32_t priority;
	...;
};
int bpf_tc_hook_create(struct bpf_tc_hook *hook);
int bpf_tc_hook_destroy(struct bpf_tc_hook *hook);
int bpf_tc_attach(const struct bpf_tc_hook *hook, struct bpf_tc_opts *opts);
int bpf_tc_detach(const struct bpf_tc_hook *hook, const struct bpf_tc_opts *opts);
int bpf_tc_query(const struct bpf_tc_hook *hook, struct bpf_tc_opts *opts);

struct bpf_test_run_opts {
	size_t sz;
	const void *data_in;
	void *data_out;
	uint32_t data_size_in;
	uint32_t data_size_out;
	const void *ctx_in;
	void *ctx_out;
	uint32_t ctx_size_in;
	uint32_t ctx_size_out;
	uint32_t retval;
	int repeat;
	uint32_t duration;
	uint32_t flags;
	uint32_t cpu;
	uint32_t batch_size;
	...;
};
int bpf_prog_test_run_opts(int prog_fd, struct bpf_test_run_opts *opts);

struct bpf_prog_info {
	uint32_t type;
	uint32_t id;
	uint32_t jited_prog_len;
	uint32_t xlated_prog_len;
	char name[16];
	uint32_t verified_insns;
	...;
};
struct bpf_map_info {
	uint32_t type;
	uint32_t id;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	uint32_t map_flags;
	char name[16];
	...;
};
int bpf_obj_get_info_by_fd(int fd, void *info, uint32_t *bytes);
int bpf_prog_get_fd_by_id(uint32_t id);
int bpf_prog_get_next_id(uint32_t start_id, uint32_t *next_id);

struct bpf_map_create_opts;
int bpf_map_create(int map_type, const char *name, uint32_t key_size, uint32_t value_size, uint32_t max_entries,
		   const struct bpf_map_create_opts *opts);
int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values, uint32_t *count,
			 const void *opts);
int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags);
int bpf_map_lookup_elem(int fd, const void *key, void *value);

/* object.c */
int bpftop_set_constant(struct bpf_object *object, const char *name, uint32_t value);
void bpftop_messages_begin(void);
const char *bpftop_messages(void);
int bpftop_link_ifindex(int link_fd);

/* kernel_btf.c */
int bpftop_drop_reasons(const char *const *modules, uint32_t module_count, char *out, uint32_t room);
int bpftop_entry_function(int prog_fd, char *out, uint32_t room);
void bpftop_give_back_memory(void);

/* drain.c */
int bpftop_drain(int fd, uint32_t rows, uint32_t row_bytes, uint32_t *keys, void *values, int batch);

/* fold.c */
uint32_t bpftop_fold_rows(const uint64_t *values, uint32_t rows, uint32_t cpus, uint32_t columns, uint64_t *out,
			  uint32_t *active);
uint32_t bpftop_fold_cells(const uint64_t *values, uint32_t cells, uint32_t cpus, uint32_t columns, uint64_t *out,
			   uint32_t *active);

const char *libbpf_version_string(void);

/* Map profiling: bpftop/kernel/maps.py and loops.py. */
struct bpf_map *bpf_object__find_map_by_name(const struct bpf_object *object, const char *name);
int bpf_map__reuse_fd(struct bpf_map *map, int fd);
int bpf_map_delete_elem(int fd, const void *key);
int bpf_map_get_next_id(uint32_t start_id, uint32_t *next_id);

/* maps.c */
int bpftop_create_map(uint32_t type, const char *name, uint32_t key_bytes, uint32_t value_bytes, uint32_t max_entries,
		      uint32_t flags);
int bpftop_map_by_id(uint32_t id);
int bpftop_map_by_path(const char *path);
uint32_t bpftop_walk_keys(int fd, uint32_t key_bytes, uint32_t most, uint32_t kept, unsigned char *keys,
			  uint64_t limit_ns, const int *stop, int *rc);

/* loop_clock.c */
struct bpftop_times {
	uint64_t counts[...];
	uint64_t ticks;
	uint64_t entries;
	uint64_t max_ticks;
};
uint64_t bpftop_clock_ticks(void);
uint64_t bpftop_clock_step_ns(void);

/* loop_model.c */
struct bpftop_subject {
	int fd;
	uint32_t keys_kind;
	uint32_t key_bytes;
	uint32_t value_bytes;
	uint32_t slot_bytes;
	uint32_t slots;
	uint32_t population;
	uint32_t universe;
	uint32_t may_miss;
	uint32_t table_mask;
	uint64_t seed;
	unsigned char *keys;
	uint64_t *written;
	uint32_t *table;
	int *stop;
};
struct bpftop_fault {
	int errno_;
	uint32_t key;
	uint32_t slot;
	uint32_t offset;
	uint64_t expected;
	uint64_t found;
	const char *doing;
};
uint32_t bpftop_make_keys(struct bpftop_subject *subject, uint32_t given);
int bpftop_order(uint32_t order, uint64_t seed, uint32_t first, uint32_t count, uint32_t steps, uint32_t *out);
uint32_t bpftop_fill(const struct bpftop_subject *subject, uint32_t first, uint32_t count, uint32_t generation,
		     int again, struct bpftop_fault *fault);
uint32_t bpftop_verify(const struct bpftop_subject *subject, const uint64_t *own, const uint32_t *cpus,
		       uint32_t threads, uint64_t *missed, struct bpftop_fault *fault);

/* loops.c */
struct bpftop_loop {
	uint32_t operation;
	uint32_t batch;
	uint32_t batch_limit;
	uint32_t generation;
	uint32_t steady;
	uint32_t steps;
	uint32_t position;
	uint32_t window;
	uint32_t absent;
	uint32_t under_way;
	uint32_t pass;
	unsigned char *cursor;
	const uint32_t *order;
	uint64_t clock_ticks;
	uint64_t run_ns;
	int *waiting;
	struct bpftop_times times;
	uint64_t checked;
	uint64_t missed;
	uint64_t singles;
	struct bpftop_fault fault;
};
void bpftop_run_loop(const struct bpftop_subject *subject, struct bpftop_loop *loop);

/* loops_bare.c */
uint64_t bpftop_bare_loop(const struct bpftop_subject *subject, uint32_t operation, uint32_t batch,
			  const struct bpftop_loop *loop, uint32_t entries);

/* loops_inside.c */
struct bpftop_inside {
	int program;
	int undo;
	uint32_t region;
	uint32_t each;
	uint32_t cpu;
	uint32_t value_mask;
	uint64_t base_ticks;
	uint64_t *own;
};
int bpftop_write_steps(const struct bpftop_subject *subject, const struct bpftop_loop *loop,
		       const struct bpftop_inside *inside, int steps_fd, uint32_t steps_in_map);
int bpftop_write_values(const struct bpftop_subject *subject, uint32_t generation, uint32_t value_mask, int values_fd);
int64_t bpftop_base_ticks(int program, uint32_t first, uint32_t steps);
void bpftop_run_inside(const struct bpftop_subject *subject, struct bpftop_loop *loop, struct bpftop_inside *inside);

/* The bench: other people's objects, and contend.c. */
const char *bpf_program__section_name(const struct bpf_program *program);
int bpf_program__type(const struct bpf_program *program);
const char *libbpf_bpf_prog_type_str(int type);
struct bpf_map *bpf_object__next_map(const struct bpf_object *object, const struct bpf_map *map);
int bpf_map__set_pin_path(struct bpf_map *map, const char *path);

struct bpftop_contender {
	int prog_fd;
	void *packet;
	uint32_t packet_bytes;
	void *context;
	uint32_t context_bytes;
	uint32_t repeat;
	uint32_t calls;
	void *number;
};
struct bpftop_turn {
	uint64_t begin_ns, end_ns;
	uint64_t cpu_ns;
	uint32_t retval;
	uint32_t duration_ns;
};
int bpftop_contend(const struct bpftop_contender *contender, uint64_t until_ns, const int *stop,
		   struct bpftop_turn *turns, uint32_t room);

/* Flows: bpftop/kernel/flow_table.py, object.py and link.py. */
int bpf_map__set_max_entries(struct bpf_map *map, uint32_t max_entries);
int bpf_link_update(int link_fd, int new_prog_fd, const void *opts);

/* flows.c */
#define FLOWS_BY_SOURCE 0
#define FLOWS_BY_DESTINATION 1
#define FLOWS_BY_DESTINATION_PORT 2
struct bpftop_flow_sums {
	uint64_t packets;
	uint64_t bytes;
	uint64_t packets_before;
	uint64_t bytes_before;
};
struct bpftop_flow {
	struct bpftop_flow_sums sums;
	struct flow_key key;
	uint64_t first_ns;
	uint64_t last_ns;
};
struct bpftop_flow_group {
	struct bpftop_flow_sums sums;
	uint64_t words[2];
};
struct bpftop_flow_table {
	uint32_t count;
	uint32_t removed;
	...;
};
struct bpftop_flow_table *bpftop_flow_table_new(int fd, uint32_t cpus, uint32_t max_entries, uint64_t seed);
void bpftop_flow_table_free(struct bpftop_flow_table *table);
int bpftop_flow_table_read(struct bpftop_flow_table *table, uint64_t idle_since_ns);
uint32_t bpftop_flow_table_top(const struct bpftop_flow_table *table, uint32_t most, struct bpftop_flow *out);
uint32_t bpftop_flow_table_group(struct bpftop_flow_table *table, uint32_t by, uint32_t most,
				 struct bpftop_flow_group *out);
