/* A device's line: masked when it interrupts, open again when the driver acknowledges (Machine::interrupt_taken
   and interrupt_unmask of arch/x86_64/src/machine.cpp; IRQ_BIND and IRQ_ACKNOWLEDGE). A level line stays up
   until the device was served and may be masked; an edge that comes while its input is masked is lost, so edge
   lines stay open.

   Holds: every request of the device is served; the line of a level device interrupts once for each
   acknowledgement, however long the driver takes.
   PLANT 1: edge lines are masked, too.
   PLANT 2: the end of the interrupt is told before the line is masked.
   PLANT 3: the driver takes its notification's bits only after it has served the device. */
#define REQUESTS 3

#if LEVEL
#define is_level true
#else
#define is_level false
#endif

bool asks;              /* the device has something that the driver must take */
byte asked;
byte served;
bool masked;
bool arrived;           /* the controller's request bit: set by the line, taken by the processor */
bool in_service;        /* from delivery until the end of interrupt is told */
bool notified;          /* the port's notification word */
bool waits_for_driver;  /* it was told and has not acknowledged */

inline line_up() { /* the input's pin goes up, or is looked at again */
    if
    :: !masked && (!is_level || !in_service) -> arrived = true
    :: else
    fi
}

proctype device()
{
    do
    :: asked == REQUESTS -> break
    :: asked < REQUESTS && (!is_level || !asks) ->
        d_step { asked++; asks = true; line_up() }
    od
}

/* Interrupts are closed in the kernel: one at a time. */
inline mask() {
    if
#if PLANT == 1
    :: true -> masked = true
#else
    :: is_level -> masked = true
    :: else
#endif
    fi
}
inline end_of_interrupt() {
    d_step {
        in_service = false;
        if
        :: is_level && asks -> line_up() /* the controller looks at a level line again */
        :: else
        fi
    }
}

proctype processor()
{
    do
    :: served == REQUESTS -> break
    :: d_step { arrived -> arrived = false; in_service = true }
        assert(!is_level || !waits_for_driver);
        waits_for_driver = true;
#if PLANT == 2
        end_of_interrupt();
        mask();
#else
        mask();
        end_of_interrupt();
#endif
        notified = true
    od
}

proctype driver()
{
    do
    :: served == REQUESTS -> break
    :: served < REQUESTS && notified ->
#if PLANT != 3
        notified = false; /* received */
#endif
        d_step { served = asked; asks = false } /* all that the device has by now */
#if PLANT == 3
        notified = false;
#endif
        d_step {
            waits_for_driver = false;
            masked = false;
            if
            :: is_level && asks -> line_up()
            :: else
            fi
        }
    od
}

init { atomic { run device(); run processor(); run driver() } }
