/* A page that is taken away from two processors (Machine::flush and lock_waits of arch/x86_64/src/machine.cpp).
   Processor 0 holds the kernel's lock, unmaps the page, asks who may have its translation to flush, waits, and
   only then uses the page for something else. Processor 1 runs a thread that reads the page, enters the kernel
   now and then, idles and comes back. Its translation stays until it flushes or changes the address space.

   Holds: nobody reads a page through an old translation after it was used again; nobody waits for ever.
   PLANT 1: the page is used again before the answer has come.
   PLANT 2: who waits for the lock does not serve requests.
   PLANT 3: the answer to the request before this one counts.
   PLANT 4: a processor that idles keeps its translations. */
#define UNMAPS 2
#define KERNEL_ROOT 0
#define TASK_ROOT 1

bit lock;
byte flushes;           /* the last flush that was asked for */
byte flushed;           /* the last that processor 1 has done */
byte root = TASK_ROOT;  /* processor 1's address space, as its task state says */
bool called;            /* processor 1's interrupt is pending */
bool mapped = true;
bool cached;            /* processor 1 has a translation of the page */
byte page;              /* what the page is used as: a new number each time */
byte cached_page;
bool over;

inline serve() { /* lock_waits() */
    d_step { wanted = flushes }
    cached = false; /* CR3 is written */
    flushed = wanted
}

inline take_1() {
    do
    :: atomic { lock == 0 -> lock = 1; break }
#if PLANT != 2
    :: lock == 1 && flushed != flushes -> serve()
#endif
    od
}

proctype unmapper()
{
    byte unmaps = 0;
    byte wanted;
    bool asked;
    do
    :: unmaps == UNMAPS -> break
    :: else ->
        unmaps++;
        atomic { lock == 0 -> lock = 1 }
        mapped = false;
        wanted = flushes + 1;
        flushes = wanted;
        asked = (root == TASK_ROOT);
        if
        :: asked ->
            called = true;
#if PLANT == 3
            flushed + 1 >= wanted
#elif PLANT != 1
            flushed == wanted
#endif
        :: else
        fi;
        page++;         /* freed, and used again */
        mapped = true;  /* something else is mapped there */
        lock = 0
    od;
    over = true
}

proctype reader()
{
    byte wanted;
    do
    :: over -> break
    :: d_step { !over && mapped && !cached -> cached = true; cached_page = page }
    :: !over && cached -> assert(cached_page == page)
    :: called || !over -> /* into the kernel: by the interrupt, or on its own */
        called = false;
        take_1();
        if
        :: true /* back to the thread: what was asked for meanwhile was served on the way in */
        :: true -> /* idle, without the lock, until somebody calls */
            root = KERNEL_ROOT;
#if PLANT != 4
            cached = false;
#endif
            lock = 0;
            take_1();
            root = TASK_ROOT; /* activate(): CR3 is written */
#if PLANT != 4
            cached = false
#endif
        fi;
        lock = 0
    od
}

init { atomic { run unmapper(); run reader() } }
