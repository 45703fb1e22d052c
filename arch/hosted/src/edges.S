// Where code that a compiler pass counts in (sim/preempt) calls when its edges are over. The caller
// believes that no register changes but r11 (the convention that LLVM calls preserve_all), so all are kept
// here: also those that a switch to another thread would leave behind.
    .text
    .globl gemel_edges_out
    .type gemel_edges_out, @function
gemel_edges_out:
    .cfi_startproc
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    subq $256, %rsp
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps %xmm\n, 16*\n(%rsp)
    .endr
    movq 8(%rbp), %rdi
    call gemel_edges_over
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps 16*\n(%rsp), %xmm\n
    .endr
    addq $256, %rsp
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    popq %rbp
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size gemel_edges_out, . - gemel_edges_out
    .section .note.GNU-stack, "", @progbits
