// What the compiler calls at each access of servers and programs, for ThreadSanitizer: the linker leads it here
// (--wrap, arch/hosted/CMakeLists.txt), where an address in a task's window becomes the page's own. The
// rest is a jump, so that ThreadSanitizer still sees who called.
    .macro wrapped name
    .globl __wrap___tsan_\name
    .type __wrap___tsan_\name, @function
__wrap___tsan_\name:
    movq %rdi, %rax
    shrq $44, %rax
    cmpq $2, %rax               // 0x2000'0000'0000: the first window
    jne 1f
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %r8
    pushq %r9
    call gemel_race_place
    popq %r9
    popq %r8
    popq %rcx
    popq %rdx
    popq %rsi
    movq %rax, %rdi
1:  jmp __real___tsan_\name@PLT
    .size __wrap___tsan_\name, . - __wrap___tsan_\name
    .endm

    .text
    .irp name, read1, read2, read4, read8, read16, write1, write2, write4, write8, write16
    wrapped \name
    .endr
    .irp name, unaligned_read2, unaligned_read4, unaligned_read8, unaligned_read16
    wrapped \name
    .endr
    .irp name, unaligned_write2, unaligned_write4, unaligned_write8, unaligned_write16
    wrapped \name
    .endr
    .irp name, read_range, write_range, vptr_read, vptr_update
    wrapped \name
    .endr
    .irp bits, 8, 16, 32, 64
    .irp name, load, store, exchange, fetch_add, fetch_sub, fetch_and, fetch_or, fetch_xor, fetch_nand
    wrapped atomic\bits\()_\name
    .endr
    .irp name, compare_exchange_strong, compare_exchange_weak, compare_exchange_val
    wrapped atomic\bits\()_\name
    .endr
    .endr
// Where a signal's handler returns to (race::handle).
    .globl gemel_signal_return
    .type gemel_signal_return, @function
    nop                         // unwinders look at the byte before a return address
gemel_signal_return:
    movl $15, %eax              // SYS_rt_sigreturn
    syscall
    .size gemel_signal_return, . - gemel_signal_return
    .section .note.GNU-stack, "", @progbits
