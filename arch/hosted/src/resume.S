// void gemel_resume(Interrupted* saved, ucontext_t* context): into the task code that was
// interrupted. Comes back if this processor was called and whoever called could not see yet that it
// is in task code. A signal between the two labels begins interrupted(saved) anew (signals.cpp), so that
// however often one comes, what was interrupted takes the same room on its stack.
    .text
    .globl gemel_resume, gemel_resume_end
    .type gemel_resume, @function
gemel_resume:
    movb $1, %fs:gemel_in_task@tpoff
    mfence
    movq %fs:gemel_processor@tpoff, %rcx
    cmpb $0, (%rcx)             // Processor::called
    jne 1f
    movq %rsi, %rsp             // sigreturn(2) takes the signal frame from there
    movl $15, %eax              // SYS_rt_sigreturn
    syscall
1:  movb $0, %fs:gemel_in_task@tpoff
gemel_resume_end:
    ret
    .size gemel_resume, . - gemel_resume
    .section .note.GNU-stack, "", @progbits
