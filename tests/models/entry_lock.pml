/* The lock around each stay in the kernel where processors are host threads (EntryLock of
   arch/hosted/src/entry_lock.cpp): one word, open, held, or held and awaited. Who finds it taken looks
   on and then sleeps; futex(2) compares the word once more as it goes to sleep, and a signal may end any
   sleep. Who gives the lock to nobody in particular wakes one.

   Holds: one at a time; nobody sleeps while nobody is awake to wake him. (A visitor that sleeps for ever
   is an invalid end state, which Spin reports.)
   PLANT 1: the host does not compare the word before it sleeps.
   PLANT 2: who was woken takes the lock as one that nobody else waits for.
   PLANT 3: who gives the lock looks at the word and opens it in two steps.
   PLANT 4: who gives the lock wakes one first and opens it then.
   PLANT 5: who looked on takes what it saw open without a look at what it is by now.
   PLANT 6: who gives the lock remembers from when he took it whether anybody waits. */
#define VISITORS 3
#define VISITS 2
#define OPEN 0
#define HELD 1
#define AWAITED 2

byte word = OPEN;
byte inside;
bool asleep[VISITORS];
byte signals = 2; /* so many sleeps end without reason */

/* FUTEX_WAIT: compares and sleeps at once */
inline sleep_unless_changed()
{
#if PLANT == 1
    asleep[me] = true;
#else
    atomic {
        if
        :: word == AWAITED -> asleep[me] = true
        :: else
        fi
    }
#endif
    if
    :: !asleep[me]
    :: atomic { asleep[me] && signals > 0 -> signals--; asleep[me] = false }
    fi
}

/* FUTEX_WAKE of one: whichever the host likes */
inline wake_one()
{
    atomic {
        if
        :: asleep[0] -> asleep[0] = false
        :: asleep[1] -> asleep[1] = false
        :: asleep[2] -> asleep[2] = false
        :: else
        fi
    }
}

inline take()
{
    old = OPEN;
    atomic { /* compare_exchange_strong */
        if
        :: word == OPEN -> word = HELD
        :: else -> old = word
        fi
    }
    if
    :: old == OPEN -> goto taken
    :: else
    fi;
    /* look_on(): once, or not at all */
    if
    :: word == OPEN ->
#if PLANT == 5
        word = HELD;
        goto taken
#else
        atomic {
            if
            :: word == OPEN -> word = HELD; goto taken
            :: else
            fi
        }
#endif
    :: true
    fi;
    do
    ::
#if PLANT == 2
        atomic { old = word; word = (old == OPEN -> HELD : AWAITED) }
#else
        atomic { old = word; word = AWAITED } /* exchange */
#endif
        if
        :: old == OPEN -> break
        :: else
        fi;
        sleep_unless_changed()
    od;
taken:
    skip
}

inline give()
{
#if PLANT == 3
    old = word;
    word = OPEN;
#elif PLANT == 4
    if
    :: word == AWAITED -> wake_one()
    :: else
    fi;
    word = OPEN;
    old = OPEN;
#elif PLANT == 6
    word = OPEN;
    old = mine;
#else
    atomic { old = word; word = OPEN } /* exchange */
#endif
    if
    :: old == AWAITED -> wake_one()
    :: else
    fi
}

proctype visitor(byte me)
{
    byte visits = 0;
    byte old;
#if PLANT == 6
    byte mine;
#endif
    do
    :: visits == VISITS -> break
    :: else ->
        visits++;
        take();
#if PLANT == 6
        mine = word;
#endif
        inside++;
        assert(inside == 1);
        inside--;
        give()
    od
}

init {
    byte i = 0;
    atomic {
        do
        :: i == VISITORS -> break
        :: else -> run visitor(i); i++
        od
    }
}
