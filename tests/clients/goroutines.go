// Goroutines that call the driver through cgo and hop from thread to thread, and children made by Go's own exec.
//
// Hazard: Go moves goroutines between threads at every call, makes and parks threads as it likes, runs them on signal stacks, preempts by
// SIGURG, and its exec runs no fork handlers.
//
// Usage: goroutines [GOROUTINES [CALLS]], 64 and 500 by default. Goroutine g makes call i as cuPointerGetAttribute(&value, 2, g << 40 | i)
// for i from 1 and yields after each. Then four children of the same program make 500 calls each, two at a time. Prints the number of
// calls and how often each code came back, and a line for each child.
//
// Build with cgo: go build goroutines.go
package main

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdint.h>
#include <stddef.h>

static int (*init_driver)(unsigned int flags);
static int (*get_attribute)(void *data, int attribute, uint64_t pointer);

static const char *open_driver(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (library == NULL) {
        return dlerror();
    }
    *(void **)(&init_driver) = dlsym(library, "cuInit");
    *(void **)(&get_attribute) = dlsym(library, "cuPointerGetAttribute");
    return init_driver == NULL || get_attribute == NULL ? "no cuInit or no cuPointerGetAttribute" : NULL;
}

static int call_init(void)
{
    return init_driver(0);
}

static int call_driver(uint64_t pointer)
{
    int value = 0;
    return get_attribute(&value, 2, pointer);
}
*/
import "C"

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
)

const (
	children        = 4
	callsOfChildren = 500
)

// callAll makes the calls of all goroutines and counts the codes.
func callAll(goroutines, calls int) map[int]int {
	codes := map[int]int{}
	var lock sync.Mutex
	var done sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		done.Add(1)
		go func(g int) {
			defer done.Done()
			own := map[int]int{}
			for i := 1; i <= calls; i++ {
				own[int(C.call_driver(C.uint64_t(uint64(g)<<40|uint64(i))))]++
				runtime.Gosched()
			}
			lock.Lock()
			defer lock.Unlock()
			for code, count := range own {
				codes[code] += count
			}
		}(g)
	}
	done.Wait()
	return codes
}

func show(codes map[int]int) string {
	sorted := make([]int, 0, len(codes))
	for code := range codes {
		sorted = append(sorted, code)
	}
	sort.Ints(sorted)
	parts := make([]string, 0, len(codes))
	for _, code := range sorted {
		parts = append(parts, fmt.Sprintf("%d x %d", code, codes[code]))
	}
	return strings.Join(parts, ", ")
}

// runChildren starts the children, two at a time, and gives their outputs in order.
func runChildren() []string {
	outputs := make([]string, children)
	places := make(chan struct{}, 2)
	var done sync.WaitGroup
	for child := 0; child < children; child++ {
		done.Add(1)
		go func(child int) {
			defer done.Done()
			places <- struct{}{}
			defer func() { <-places }()
			output, err := exec.Command("/proc/self/exe", "1", strconv.Itoa(callsOfChildren), "child").Output()
			if err != nil {
				outputs[child] = err.Error() + "\n"
				return
			}
			outputs[child] = string(output)
		}(child)
	}
	done.Wait()
	return outputs
}

func number(place, otherwise int) int {
	if len(os.Args) <= place {
		return otherwise
	}
	value, err := strconv.Atoi(os.Args[place])
	if err != nil || value < 1 {
		fmt.Fprintln(os.Stderr, "usage: goroutines [GOROUTINES [CALLS]]")
		os.Exit(2)
	}
	return value
}

func main() {
	goroutines, calls := number(1, 64), number(2, 500)
	if why := C.open_driver(); why != nil {
		fmt.Printf("driver: none: %s\n", C.GoString(why))
		os.Exit(3)
	}
	fmt.Printf("cuInit = %d\n", int(C.call_init()))
	fmt.Printf("goroutines %d, calls %d, codes: %s\n", goroutines, goroutines*calls, show(callAll(goroutines, calls)))
	if len(os.Args) > 3 {
		return
	}
	for child, output := range runChildren() {
		fmt.Printf("child %d: %s\n", child, strings.ReplaceAll(strings.TrimSpace(output), "\n", "; "))
	}
}
