/* Declarations of libbpf and of the kernel headers that Python uses. Read by cffi only; "...;" leaves fields out, and
 * "..." lets the C compiler fill in a value. bpftop's own functions are declared in the headers beside their sources.
 */

struct bpf_object;
struct bpf_program;
struct bpf_map;
const char *libbpf_version_string(void);
int libbpf_num_possible_cpus(void);

/* Objects */
struct bpf_object *bpf_object__open_file(const char *path, const void *opts);
int bpf_object__load(struct bpf_object *object);
void bpf_object__close(struct bpf_object *object);
struct bpf_program *bpf_object__next_program(const struct bpf_object *object, struct bpf_program *program);
struct bpf_program *bpf_object__find_program_by_name(const struct bpf_object *object, const char *name);
struct bpf_map *bpf_object__find_map_by_name(const struct bpf_object *object, const char *name);
int bpf_object__find_map_fd_by_name(const struct bpf_object *object, const char *name);
int bpf_map__reuse_fd(struct bpf_map *map, int fd);
int bpf_map__set_max_entries(struct bpf_map *map, uint32_t max_entries);

/* Programs */
const char *bpf_program__name(const struct bpf_program *program);
const char *bpf_program__section_name(const struct bpf_program *program);
int bpf_program__type(const struct bpf_program *program);
const char *libbpf_bpf_prog_type_str(int type);
int bpf_program__set_attach_target(struct bpf_program *program, int attach_prog_fd, const char *attach_func_name);
int bpf_program__fd(const struct bpf_program *program);
struct bpf_link *bpf_program__attach(const struct bpf_program *program);
int bpf_link__destroy(struct bpf_link *link);
int bpf_prog_get_fd_by_id(uint32_t id);
int bpf_prog_get_next_id(uint32_t start_id, uint32_t *next_id);
int bpf_obj_get_info_by_fd(int fd, void *info, uint32_t *bytes);
struct bpf_prog_info {
	uint32_t type;
	uint32_t id;
	uint8_t tag[8];
	uint32_t jited_prog_len;
	uint32_t xlated_prog_len;
	uint64_t jited_prog_insns;
	uint64_t xlated_prog_insns;
	uint64_t load_time;
	uint32_t created_by_uid;
	uint32_t nr_map_ids;
	uint64_t map_ids;
	char name[16];
	uint32_t ifindex;
	uint32_t btf_id;
	uint64_t func_info;
	uint32_t func_info_rec_size;
	uint32_t nr_func_info;
	uint64_t line_info;
	uint32_t nr_line_info;
	uint32_t line_info_rec_size;
	uint32_t nr_jited_func_lens;
	uint64_t run_time_ns;
	uint64_t run_cnt;
	uint64_t recursion_misses;
	uint32_t verified_insns;
	uint32_t attach_btf_obj_id;
	uint32_t attach_btf_id;
	...;
};
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

/* Attachments */
struct bpf_link_create_opts {
	size_t sz;
	uint32_t flags;
	...;
};
int bpf_link_create(int prog_fd, int target_fd, int attach_type, const struct bpf_link_create_opts *opts);
int bpf_link_update(int link_fd, int new_prog_fd, const void *opts);
int bpf_raw_tracepoint_open(const char *name, int prog_fd);
int bpf_iter_create(int link_fd);
int bpf_prog_query(int target_fd, int type, uint32_t query_flags, uint32_t *attach_flags, uint32_t *prog_ids,
		   uint32_t *prog_cnt);
int bpf_task_fd_query(int pid, int fd, uint32_t flags, char *buf, uint32_t *buf_len, uint32_t *prog_id,
		      uint32_t *fd_type, unsigned long long *probe_offset, unsigned long long *probe_addr);
int bpf_obj_get(const char *path);
int bpf_link_get_fd_by_id(uint32_t id);
int bpf_link_get_next_id(uint32_t start_id, uint32_t *next_id);
#define XDP_FLAGS_SKB_MODE ...
#define XDP_FLAGS_DRV_MODE ...

/* Maps */
#define BPF_MAP_TYPE_HASH ...
#define BPF_MAP_TYPE_ARRAY ...
#define BPF_MAP_TYPE_PERCPU_HASH ...
#define BPF_MAP_TYPE_PERCPU_ARRAY ...
#define BPF_MAP_TYPE_LRU_HASH ...
#define BPF_MAP_TYPE_LRU_PERCPU_HASH ...
#define BPF_MAP_TYPE_LPM_TRIE ...
#define BPF_F_NO_PREALLOC ...
#define BPF_F_NO_COMMON_LRU ...
#define BPF_F_ZERO_SEED ...
#define BPF_F_MMAPABLE ...
#define BPF_ANY ...
#define BPF_NOEXIST ...
struct bpf_map_info {
	uint32_t type;
	uint32_t id;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	uint32_t map_flags;
	char name[16];
	uint32_t ifindex;
	uint32_t btf_vmlinux_value_type_id;
	uint32_t btf_id;
	uint32_t btf_key_type_id;
	uint32_t btf_value_type_id;
	...;
};
int bpf_map_get_next_id(uint32_t start_id, uint32_t *next_id);
int bpf_map_get_next_key(int fd, const void *key, void *next_key);
int bpf_map_lookup_elem(int fd, const void *key, void *value);
int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags);
int bpf_map_delete_elem(int fd, const void *key);
int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values, uint32_t *count,
			 const void *opts);

/* BTF, which the kernel keeps for programs and maps */
struct bpf_btf_info {
	uint64_t btf;
	uint32_t btf_size;
	uint32_t id;
	uint64_t name;
	uint32_t name_len;
	uint32_t kernel_btf;
	...;
};
int bpf_btf_get_fd_by_id(uint32_t id);
const char *libbpf_bpf_map_type_str(int type);
