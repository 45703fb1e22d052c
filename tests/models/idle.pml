/* Idle and the reschedule interrupt (Kernel::idle, rest, make_ready, preempt of core/sched/dispatcher.cpp;
   gemel_wait_for_interrupt of arch/x86_64/src/entry.S). A processor without a thread gives the lock and
   waits for an interrupt; another puts a thread into its queue and, if it is idle, interrupts it.

   Holds: every thread that was made ready for the idle processor is run: none is left in the queue while
   the processor waits. (A processor that waits for ever is an invalid end state, which Spin reports.)
   PLANT 1: interrupts are open before the processor halts, so that one may come in between.
   PLANT 2: the processor says that it is idle only after it has given the lock.
   PLANT 3: only an interrupt that finds no thread at all is sent. */
#define WAKES 3

bit lock;
bit idle;               /* its bit in idle_cpus_ and current == null */
byte queue;             /* threads that wait for it */
byte run_so_far;
bool pending;           /* an interrupt has come and was not taken */
bool awake_for_good;

inline take() { atomic { lock == 0 -> lock = 1 } }
inline give() { lock = 0 }

inline dispatch() { /* runs what there is; with nothing left it is idle again */
    do
    :: queue > 0 -> queue--; run_so_far++
    :: queue == 0 -> break
    od
}

proctype sleeper()
{
    take();
    dispatch();
    do
    :: run_so_far == WAKES -> give(); break
    :: else ->
        /* idle(): nothing to run */
#if PLANT != 2
        idle = 1;
#endif
        give(); /* rest() */
#if PLANT == 2
        idle = 1;
#endif
#if PLANT == 1
        if /* STI has effect at once: the interrupt is taken here, and HLT waits for the next */
        :: pending -> pending = false
        :: true
        fi;
#endif
        pending -> pending = false; /* STI; HLT: one step */
        take();
        idle = 0; /* preempt() */
        dispatch()
    od
}

proctype waker()
{
    byte made = 0;
    do
    :: made == WAKES -> break
    :: else ->
        take();
        made++;
        queue++; /* make_ready() */
        if
#if PLANT == 3
        :: idle && queue == 1 && made == 1 -> idle = 0; pending = true
#else
        :: idle -> idle = 0; pending = true
#endif
        :: else
        fi;
        give()
    od
}

init { atomic { run sleeper(); run waker() } }
