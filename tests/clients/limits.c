/* Calls under limits that make a tracer's own system calls fail, or that hand its descriptors to the program.
 *
 * Hazard: a tracer opens files, maps memory and starts a thread in a process that may have none to spare. Its failure must not become the
 * program's: the output is compared with that of a run without cutape.
 *
 * Usage: limits MODE [before|after]      the limit comes before the first call (default) or after it
 *     files          every descriptor up to RLIMIT_NOFILE is in use
 *     memory         RLIMIT_AS leaves 1 MiB of address space
 *     file-size      RLIMIT_FSIZE is 0: growing a file raises SIGXFSZ, which kills by default; stdout must be a pipe or terminal
 *     stderr-closed  descriptor 2 is closed
 *     all-closed     descriptors 3 to 1023 are closed, then files of the program's own take their numbers; it prints what is in them at
 *                    the end, which must be what it wrote
 *     stack          a thread with the smallest stack allowed makes the calls
 *     seccomp        new files, mappings of files and threads are refused with EPERM
 * Prints the codes of 1,000 calls, and with `after` those of 500 more before the limit: what the recorder has to write is then still in its ring.
 */
#define _GNU_SOURCE
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OWN_FILES = 8, CALLS = 500 };

static int own_files[OWN_FILES];

static void make_calls(const char *when)
{
    histogram codes;
    memset(&codes, 0, sizeof codes);
    for (int i = 1; i <= CALLS; i++) {
        int value = 0;
        histogram_add(&codes, cuPointerGetAttribute(&value, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, (CUdeviceptr)i));
    }
    printf("%s: codes: ", when);
    histogram_print(&codes);
    fflush(stdout);
}

static void set_limit(__rlimit_resource_t which, rlim_t value)
{
    struct rlimit limit = {value, value};
    if (setrlimit(which, &limit) != 0) {
        perror("limits: setrlimit");
        exit(2);
    }
}

static void use_up_descriptors(void)
{
    set_limit(RLIMIT_NOFILE, 256);
    while (open("/dev/null", O_RDONLY) >= 0) {
    }
    printf("no descriptor left: %s\n", errno == EMFILE ? "yes" : "no");
}

static void use_up_address_space(void)
{
    char text[64] = "";
    int fd = open("/proc/self/statm", O_RDONLY);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    rlim_t pages = length > 0 ? strtoul(text, NULL, 10) : 0;
    set_limit(RLIMIT_AS, pages * (rlim_t)sysconf(_SC_PAGESIZE) + (1 << 20));
}

/* Unlinked files whose numbers are those that a tracer may think are still its own. */
static void take_descriptors(void)
{
    for (int fd = 3; fd < 1024; fd++) {
        close(fd);
    }
    for (int i = 0; i < OWN_FILES; i++) {
        char path[] = "/tmp/limits-XXXXXX";
        own_files[i] = mkstemp(path);
        if (own_files[i] < 0 || unlink(path) != 0 || write(own_files[i], "mine", 4) != 4) {
            perror("limits: own file");
            exit(2);
        }
    }
}

static void print_own_files(void)
{
    for (int i = 0; i < OWN_FILES; i++) {
        char text[64];
        ssize_t length = pread(own_files[i], text, sizeof text, 0);
        printf("own file %d: %s\n", i, length == 4 && memcmp(text, "mine", 4) == 0 ? "as written" : "changed");
    }
}

/* Refuses with EPERM: open, openat, creat, memfd_create, ftruncate, clone3 and clone (so that thread creation fails). */
static void forbid_new_things(void)
{
#define REFUSE(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        REFUSE(SYS_open),
        REFUSE(SYS_openat),
        REFUSE(SYS_creat),
        REFUSE(SYS_memfd_create),
        REFUSE(SYS_ftruncate),
        REFUSE(SYS_clone3),
        REFUSE(SYS_clone),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
#undef REFUSE
    struct sock_fprog filter = {sizeof program / sizeof *program, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        perror("limits: seccomp");
        exit(2);
    }
}

static void *call_on_small_stack(void *when)
{
    /* Only the calls: printf wants more stack than there may be. */
    (void)when;
    for (int i = 1; i <= CALLS; i++) {
        const char *name = NULL;
        cuGetErrorName(i, &name);
    }
    return NULL;
}

static void run_on_small_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN));
    if (pthread_create(&thread, &attributes, call_on_small_stack, NULL) != 0) {
        fprintf(stderr, "limits: no thread\n");
        exit(2);
    }
    pthread_join(thread, NULL);
    printf("the thread with a small stack has ended\n");
}

static int apply(const char *mode)
{
    if (strcmp(mode, "files") == 0) {
        use_up_descriptors();
    } else if (strcmp(mode, "memory") == 0) {
        use_up_address_space();
    } else if (strcmp(mode, "file-size") == 0) {
        set_limit(RLIMIT_FSIZE, 0);
    } else if (strcmp(mode, "stderr-closed") == 0) {
        close(2);
    } else if (strcmp(mode, "all-closed") == 0) {
        take_descriptors();
    } else if (strcmp(mode, "stack") == 0) {
        run_on_small_stack();
    } else if (strcmp(mode, "seccomp") == 0) {
        forbid_new_things();
    } else {
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    int after = argc > 2 && strcmp(argv[2], "after") == 0;
    open_driver();
    if (after) {
        make_calls("before the limit");
    }
    if (!apply(mode)) {
        fprintf(stderr, "usage: limits files|memory|file-size|stderr-closed|all-closed|stack|seccomp [before|after]\n");
        return 2;
    }
    printf("cuInit = %d\n", cuInit(0));
    make_calls("under the limit");
    make_calls("still under it");
    if (strcmp(mode, "all-closed") == 0) {
        print_own_files();
    }
    return 0;
}
