// Entry of a native program: rdi holds the address of its Startup page. There is no caller.
    .section .text.gemel_program_entry, "ax"
    .globl gemel_program_entry
    .type gemel_program_entry, @function
gemel_program_entry:
    .cfi_startproc
    .cfi_undefined rip
    xor %ebp, %ebp
    and $-16, %rsp
    call gemel_program_start
    ud2
    .cfi_endproc
    .section .note.GNU-stack, "", @progbits
