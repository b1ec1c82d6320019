/* A process that has called the driver makes others in every way there is, and all of them call on.
 *
 * Hazard: parent and child share what was mapped before the fork; a child made by clone or vfork runs no fork handlers; an exec'd child
 * must be followed through its environment.
 *
 * Children: fork (and a grandchild of it), the clone system call, vfork and exec, posix_spawn. Parent and forked children make their
 * calls at the same time. Process p makes CALLS calls, cuPointerGetAttribute(&value, 2, p << 40 | i) for i from 1, where p is
 * 1 parent, 2 forked child, 3 grandchild, 4 cloned child, 5 vfork and exec, 6 posix_spawn, 7 parent again at the end.
 * Prints one line a process, children as their parent sees them end, with the low 8 bits of the code that all its calls gave (255 if
 * they gave different ones).
 */
#define _GNU_SOURCE
#include "driver.h"

#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { CALLS = 500 };

/* Makes the calls of process `p`; returns the low 8 bits of the code that all of them gave, or 255 when they differ. */
static int make_calls(uint64_t p)
{
    int value = 0;
    CUresult first = cuPointerGetAttribute(&value, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, p << 40 | 1);
    for (uint64_t i = 2; i <= CALLS; i++) {
        if (cuPointerGetAttribute(&value, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, p << 40 | i) != first) {
            return 255;
        }
    }
    return first & 0xff;
}

static void print_end(const char *what, pid_t pid)
{
    int status = 0;
    if (waitpid(pid, &status, 0) != pid) {
        printf("%s: lost\n", what);
    } else if (WIFEXITED(status)) {
        printf("%s: %d calls, code %d\n", what, CALLS, WEXITSTATUS(status));
    } else {
        printf("%s: killed by signal %d\n", what, WTERMSIG(status));
    }
    fflush(stdout);
}

static int forked_child(void)
{
    pid_t grandchild = fork();
    if (grandchild == 0) {
        _exit(make_calls(3));
    }
    int code = make_calls(2);
    print_end("grandchild", grandchild);
    return code;
}

static void exec_self(const char *self, const char *p)
{
    char *const arguments[] = {(char *)self, (char *)p, NULL};
    execve(self, arguments, environ);
    _exit(254);
}

int main(int argc, char **argv)
{
    const char *self = "/proc/self/exe";
    open_driver();
    if (argc > 1) {
        cuInit(0);
        return make_calls(strtoull(argv[1], NULL, 10));
    }
    printf("cuInit = %d\n", cuInit(0));
    fflush(stdout);

    pid_t forked = fork();
    if (forked == 0) {
        _exit(forked_child());
    }
    int parent = make_calls(1);
    print_end("fork", forked);

    pid_t cloned = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (cloned == 0) {
        _exit(make_calls(4));
    }
    print_end("clone", cloned);

    pid_t vforked = vfork();
    if (vforked == 0) {
        exec_self(self, "5");
    }
    print_end("vfork and exec", vforked);

    pid_t spawned = 0;
    char *const arguments[] = {(char *)self, "6", NULL};
    if (posix_spawn(&spawned, self, NULL, NULL, arguments, environ) != 0) {
        printf("posix_spawn: failed\n");
    } else {
        print_end("posix_spawn", spawned);
    }
    printf("parent: %d calls, code %d\n", CALLS, parent);
    printf("parent again: %d calls, code %d\n", CALLS, make_calls(7));
    return 0;
}
