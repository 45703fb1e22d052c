/* The lock's hand-over at the kernel's exit (core/sched/lock.hpp, leave() of arch/x86_64/src/trap.cpp).
   Who leaves gives the lock and then goes into a thread's frame; who comes in next is the kernel's own
   processor from then on.

   Holds: the kernel has one processor in it, in the order of arrival; every processor leaves into the
   thread that the kernel chose for it; everyone who waits gets the lock.
   PLANT 1: the frame is looked up after the lock was given.
   PLANT 2: a ticket is read and taken in two steps.
   PLANT 3: the lock is given by setting `serving` to the giver's next ticket. */
#define CPUS 3
#define ENTRIES 2
#define THREADS (CPUS + CPUS * ENTRIES)
#define NONE 255

byte next;
byte serving;
byte inside;
byte own_cpu = NONE;      /* Kernel::cpu_ */
byte current[CPUS];       /* the thread that each processor is to run */
byte running[THREADS];    /* on which processor each thread runs */
byte last_ticket;
byte threads_chosen;

proctype processor(byte me)
{
    byte ticket;
    byte entry = 0;
    byte frame;
    byte value;
    do
    :: entry == ENTRIES -> break
    :: else ->
        entry++;
#if PLANT == 2
        ticket = next;
        next = ticket + 1;
#else
        d_step { ticket = next; next = ticket + 1 }
#endif
        serving == ticket;
        inside++;
        assert(inside == 1);
        assert(ticket == last_ticket);
        last_ticket++;
        own_cpu = me;
        /* a call switches this processor to a thread that nobody runs */
        running[current[me]] = NONE;
        threads_chosen++;
        current[own_cpu] = CPUS + threads_chosen - 1;
        inside--;
#if PLANT == 1
        value = serving;
        serving = value + 1;
        frame = current[own_cpu];
#else
        frame = current[own_cpu];
        value = serving; /* nobody else writes it: no atomic addition */
#if PLANT == 3
        serving = ticket + 2;
#else
        serving = value + 1;
#endif
#endif
        assert(running[frame] == NONE);
        running[frame] = me;
        assert(frame == current[me])
    od
}

init {
    byte i = 0;
    atomic {
        do
        :: i == THREADS -> break
        :: i < CPUS -> current[i] = i; running[i] = i; i++
        :: i >= CPUS && i < THREADS -> running[i] = NONE; i++
        od;
        i = 0;
        do
        :: i == CPUS -> break
        :: else -> run processor(i); i++
        od
    }
}
