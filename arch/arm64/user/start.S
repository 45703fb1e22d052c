// Entry of a native program: x0 holds the address of its Startup page. There is no caller.
    .section .text.gemel_program_entry, "ax"
    .globl gemel_program_entry
    .type gemel_program_entry, @function
gemel_program_entry:
    .cfi_startproc
    .cfi_undefined x30
    mov x29, xzr
    mov x30, xzr
    bl gemel_program_start
    brk #0
    .cfi_endproc
    .section .note.GNU-stack, "", @progbits
