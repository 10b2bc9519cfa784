/* A launcher built with this looks late whether a child has ended: what ends between the look for output
 * and the look for ends, which takes luck otherwise, ends there every time. */
#include <sys/wait.h>
#include <unistd.h>

#define waitid(...) (usleep(50000), waitid(__VA_ARGS__))
