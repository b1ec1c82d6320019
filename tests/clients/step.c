/* Calls made when they are asked for: ten for each byte on standard input.
 *
 * Hazard: someone looks at the recording while it is being made, and the program is killed under his eyes.
 *
 * Prints the code of cuInit; ends with code 0 when standard input does.
 */
#include "driver.h"

#include <unistd.h>

enum { CALLS = 10 };

int main(void)
{
    open_driver();
    printf("cuInit = %d\n", (int)cuInit(0));
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) == 1) {
        for (int i = 0; i < CALLS; i++) {
            int count = 0;
            cuDeviceGetCount(&count);
        }
    }
    return 0;
}
