// The ways into the kernel and the one way out. A trap pushes the registers straight into the running
// thread's frame (frame.hpp has the layout), then the handler runs on the kernel's stack.
// GS is the user's: the kernel finds everything by address, so there is no swapgs to forget.

.set user_data_selector, 0x1B
.set flags_user_may_have, 0x240DD5
.set flags_always, 0x202
.set by_system_call, -1
.set page_fault, 14
.set interrupt_marker, 32

// Processor n: its task state (machine.hpp), of 128 bytes, and its stack. The task register's selector
// says n.
.set cpus, 8
.set state_bytes, 128
.set state_rsp0, 4
.set state_kernel_stack, 12
.set state_user_stack, 104
.set stack_shift, 14

.macro load_kernel_stack // changes rcx
    str %ecx
    mov gemel_task_states_origin + state_kernel_stack(, %rcx, 8), %rsp
.endm

.macro push_registers // all that C++ or the next thread would lose, but rcx and r11
    push %r15
    push %r14
    push %rbp
    push %rax
    push %rbx
    push %r13
    push %r12
    push %r9
    push %r8
    push %r10
    push %rdx
    push %rsi
    push %rdi
.endm

.section .text.entry, "ax"
.globl gemel_leave, gemel_wait_for_interrupt

// SYSCALL changes no stack: each processor has a way in that knows where its own words are.
.macro system_call_entry number
system_call_entry_\number:
    mov %rsp, gemel_task_states + \number * state_bytes + state_user_stack(%rip)
    mov gemel_task_states + \number * state_bytes + state_rsp0(%rip), %rsp
    push $user_data_selector
    push gemel_task_states + \number * state_bytes + state_user_stack(%rip)
    .if \number
    jmp system_call
    .endif
.endm
    system_call_entry 7
    system_call_entry 6
    system_call_entry 5
    system_call_entry 4
    system_call_entry 3
    system_call_entry 2
    system_call_entry 1
    system_call_entry 0
system_call:
    push %r11
    push $by_system_call
    push %rcx
    sub $32, %rsp // a trap's vector, error code, rcx and r11
    push_registers
    load_kernel_stack
    jmp gemel_system_call

gemel_leave: // the stack pointer is at the frame
    pop %rdi
    pop %rsi
    pop %rdx
    pop %r10
    pop %r8
    pop %r9
    pop %r12
    pop %r13
    pop %rbx
    pop %rax
    pop %rbp
    pop %r14
    pop %r15
    mov 32(%rsp), %rcx
    cmpl $by_system_call, 40(%rsp)
    jne 1f
    mov 48(%rsp), %r11
    mov 56(%rsp), %rsp
    sysretq
1:  shr $47, %rcx // IRET to a non-canonical address would fault in the kernel
    jnz 2f
    andq $flags_user_may_have, 48(%rsp)
    orq $flags_always, 48(%rsp)
    pop %rcx
    pop %r11
    add $16, %rsp
    iretq
2:  mov 32(%rsp), %rcx // the page fault that it would be
    mov %rcx, %cr2
    movl $page_fault, 16(%rsp)
    andl $0, 24(%rsp)
    load_kernel_stack
    jmp gemel_trap

// Interrupts are open nowhere else in the kernel. The one that ends the halt drops what it pushed and
// returns to our caller, with interrupts off.
gemel_wait_for_interrupt:
    sti
    hlt

trap:
    testb $3, 24(%rsp)
    jz trap_in_kernel
    push %r11
    push %rcx
    push_registers
    cld
    load_kernel_stack
    jmp gemel_trap

trap_in_kernel:
    cmpl $interrupt_marker, (%rsp)
    jne panic
    mov 40(%rsp), %rsp
    ret

// The processor pushes an error code for some exceptions; the others get 0.
.macro exception number, has_error=0
exception_\number:
    .if !\has_error
    push $0
    .endif
    push $\number
    jmp trap
.endm

    exception 0
    exception 1
    exception 3
    exception 4
    exception 5
    exception 6
    exception 7
    exception 10, 1
    exception 11, 1
    exception 12, 1
    exception 13, 1
    exception 14, 1
    exception 16
    exception 17, 1
    exception 19
    exception 21, 1
    exception 31 // set_thread_pointer's (user.hpp)
    exception 32 // every line: the APIC knows which

// On their own stack, because they may come at any instruction.
exception_2:
    push $0
    push $2
    jmp panic
exception_18:
    push $0
    push $18
    jmp panic
exception_8:
    push $8
panic:
    mov %rsp, %rdi
    cld
    call gemel_panic

// What boot code makes the interrupt descriptor table from: 0 for none.
.section .init.rodata, "a"
.globl gemel_exception_entries
.balign 8
.macro entry number
    .quad exception_\number
.endm
gemel_exception_entries:
    entry 0
    entry 1
    entry 2
    entry 3
    entry 4
    entry 5
    entry 6
    entry 7
    entry 8
    .quad 0
    entry 10
    entry 11
    entry 12
    entry 13
    entry 14
    .quad 0
    entry 16
    entry 17
    entry 18
    entry 19
    .quad 0
    entry 21
    .rept 9
    .quad 0
    .endr
    entry 31
    entry 32

.globl gemel_system_call_entries
gemel_system_call_entries:
    .quad system_call_entry_0, system_call_entry_1, system_call_entry_2, system_call_entry_3
    .quad system_call_entry_4, system_call_entry_5, system_call_entry_6, system_call_entry_7

.section .bss
.balign 16
.skip 2048
.globl gemel_panic_stack_top
gemel_panic_stack_top:
.globl gemel_kernel_stacks
gemel_kernel_stacks:
.skip cpus << stack_shift

.section .note.GNU-stack, "", @progbits
