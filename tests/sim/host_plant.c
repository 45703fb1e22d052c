/* A host whose memcpy goes wrong once PLANT-L, or another letter, stands on the console: `echo PLANT-L` does what is said
   at L below, unless `echo PLANT-A` was quicker. For tests of what becomes of such runs (run.py); loaded by LD_PRELOAD,
   and so not there in a process that is executed without an environment. */
#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>

/* A run is a process that was forked: whoever reads of it what the console showed is none. */
static int is_run;

static void forked(void)
{
    is_run = 1;
}

__attribute__((constructor)) static void begin(void)
{
    pthread_atfork(0, 0, forked);
}

static long call(long number, void const* a)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(0) : "rcx", "r11", "memory");
    return result;
}

/* No handler can run without a stack. */
static void die(void)
{
    struct {
        void* at;
        int flags;
        size_t bytes;
    } const none = { 0, 2, 0 };
    call(SYS_sigaltstack, &none);
    __asm__ volatile("movq $16, %rsp\n\tpushq %rax");
}

/* The letter of the first line of that kind; 0: there is none. */
static char first_letter(char const* bytes, size_t count)
{
    static char const word[] = "PLANT-";
    size_t const length = sizeof word - 1;
    for (size_t at = 0; at + length + 1 < count; ++at) {
        size_t same = 0;
        while (same < length && bytes[at + same] == word[same])
            ++same;
        if (same == length && bytes[at + length + 1] == '\r')
            return bytes[at + length];
    }
    return 0;
}

void* memcpy(void* restrict to, void const* restrict from, size_t count)
{
    char* out = to;
    char const* in = from;
    for (size_t i = 0; i < count; ++i) {
        out[i] = in[i];
        __asm__ volatile("" ::: "memory"); /* or this is memcpy again */
    }
    switch (is_run ? first_letter(in, count) : 0) {
    case 'L': /* a leak */
        call(SYS_getppid, 0);
        break;
    case 'S': /* a signal */
        die();
        break;
    case 'X': /* an end without a word */
        call(SYS_exit_group, 0);
        break;
    case 'H': /* a loop */
        for (;;)
            ;
    }
    return to;
}
