/* What Python may call: libbpf's functions, and ours in the .c files beside this one. cffi reads this, no compiler does. */

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
int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values, uint32_t *count, const void *opts);
int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags);
int bpf_map_lookup_elem(int fd, const void *key, void *value);

/* object.c */
int bpftop_set_constant(struct bpf_object *object, const char *name, uint32_t value);
void bpftop_messages_begin(void);
const char *bpftop_messages(void);
int bpftop_link_ifindex(int link_fd);

/* drain.c */
int bpftop_drain(int fd, uint32_t rows, uint32_t row_bytes, uint32_t *keys, void *values, int batch);

/* fold.c */
uint32_t bpftop_fold_rows(const uint64_t *values, uint32_t rows, uint32_t cpus, uint32_t columns, uint64_t *out, uint32_t *active);
uint32_t bpftop_fold_cells(const uint64_t *values, uint32_t cells, uint32_t cpus, uint32_t columns, uint64_t *out, uint32_t *active);

const char *libbpf_version_string(void);
