// tests/support/vectors.hpp for x86_64. 512 bytes of vectors, 128 of the old unit, MXCSR, control word.
.set old_unit, 512
.set mxcsr, 640
.set control, 644
.set words_end, 768

.text
.globl gemel_vectors_hold, gemel_vectors_allow

// rax: all of YMM is the system's to save (XCR0), else only XMM.
.macro wide_vectors
    push %rbx
    mov $1, %eax
    xor %ecx, %ecx
    cpuid
    pop %rbx
    xor %eax, %eax
    bt $27, %ecx                        // OSXSAVE
    jnc 1f
    xor %ecx, %ecx
    xgetbv
    shr $2, %eax
    and $1, %eax
1:
.endm

gemel_vectors_hold: // rdi in, rsi out, rdx turns
    mov %rdx, %r8
    wide_vectors
    mov %eax, %r9d
    sub $16, %rsp
    stmxcsr (%rsp)
    fnstcw 8(%rsp)
    mov $words_end / 8, %ecx            // what no register fills comes out as it went in
    push %rsi
    push %rdi
    xchg %rsi, %rdi
    rep movsq
    pop %rdi
    pop %rsi
    .irp number, 7, 6, 5, 4, 3, 2, 1, 0
    fldt old_unit + \number * 16(%rdi)
    .endr
    fldcw control(%rdi)
    ldmxcsr mxcsr(%rdi)
    test %r9d, %r9d
    jz 2f
    .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups \number * 32(%rdi), %ymm\number
    .endr
    jmp 3f
2:  .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups \number * 32(%rdi), %xmm\number
    .endr
3:  test %r8, %r8
    jz 5f
4:  dec %r8
    jnz 4b
5:  test %r9d, %r9d
    jz 6f
    .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups %ymm\number, \number * 32(%rsi)
    .endr
    vzeroupper
    jmp 7f
6:  .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups %xmm\number, \number * 32(%rsi)
    .endr
7:  .irp number, 0, 1, 2, 3, 4, 5, 6, 7
    fstpt old_unit + \number * 16(%rsi)
    .endr
    stmxcsr mxcsr(%rsi)
    fnstcw control(%rsi)
    ldmxcsr (%rsp)
    fldcw 8(%rsp)
    add $16, %rsp
    ret

gemel_vectors_allow: // rdi; every exception masked, no reserved bit; rounding and the like stay random
    andl $0x0000E000, mxcsr(%rdi)
    orl $0x1F80, mxcsr(%rdi)
    andw $0x0C00, control(%rdi)
    orw $0x037F, control(%rdi)
    ret

.section .note.GNU-stack, "", @progbits
