// Where the processor enters the kernel from a thread, and leaves into one. SP_EL1 always stands at
// the frame of the thread that runs (arch/frame.hpp), so the registers go straight into it.

// Offsets of Frame.
.set frame_ip, 80
.set frame_x10, 96
.set frame_x30, 256
.set frame_thread_pointer, 272

.section .text.vectors, "ax"
.balign 2048
.global exception_vectors
exception_vectors:
.macro vector target
    .balign 128
    b \target
.endm
    // From the kernel: always a bug of ours.
    vector kernel_bug
    vector kernel_bug
    vector kernel_bug
    vector kernel_bug
    vector kernel_bug
    vector kernel_bug
    vector kernel_bug
    vector kernel_bug
    // From a thread: synchronous, interrupt, fast interrupt, system error (late news of its access).
    vector from_thread
    vector interrupted
    vector kernel_bug
    vector from_thread
    // From 32-bit code: no frame asks for it.
    vector kernel_bug
    vector kernel_bug
    vector kernel_bug
    vector kernel_bug

from_thread:
    str x30, [sp, #frame_x30]
    bl save_registers
    mrs x0, esr_el1
    lsr w1, w0, #26
    cmp w1, #0x15                       // SVC from AArch64
    b.eq 1f
    mrs x1, far_el1
    bl thread_faulted
    b leave_kernel
1:  bl system_called
    b leave_kernel

.global call_given_up
call_given_up:
    bl leave
    b leave_kernel

interrupted:
    str x30, [sp, #frame_x30]
    bl save_registers
    bl machine_interrupted

.global leave_kernel
leave_kernel:
    mrs x30, tpidr_el1
    ldr x30, [x30]                      // Machine::Processor::frame
    mov sp, x30
    ldp x2, x3, [sp, #frame_ip]
    msr elr_el1, x2
    msr sp_el0, x3
    ldp x2, x3, [sp, #frame_x30 + 8]    // flags, thread pointer
    and x2, x2, #0xF0000000             // the condition flags alone: EL0, interrupts on
    msr spsr_el1, x2
    msr tpidr_el0, x3
    ldp x0, x1, [sp]
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #frame_x10]
    ldp x12, x13, [sp, #frame_x10 + 16]
    ldp x14, x15, [sp, #frame_x10 + 32]
    ldp x16, x17, [sp, #frame_x10 + 48]
    ldp x18, x19, [sp, #frame_x10 + 64]
    ldp x20, x21, [sp, #frame_x10 + 80]
    ldp x22, x23, [sp, #frame_x10 + 96]
    ldp x24, x25, [sp, #frame_x10 + 112]
    ldp x26, x27, [sp, #frame_x10 + 128]
    ldp x28, x29, [sp, #frame_x10 + 144]
    ldr x30, [sp, #frame_x30]
    eret

// Everything but x30 into the frame; then onto the kernel's stack.
save_registers:
    stp x0, x1, [sp]
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #frame_x10]
    stp x12, x13, [sp, #frame_x10 + 16]
    stp x14, x15, [sp, #frame_x10 + 32]
    stp x16, x17, [sp, #frame_x10 + 48]
    stp x18, x19, [sp, #frame_x10 + 64]
    stp x20, x21, [sp, #frame_x10 + 80]
    stp x22, x23, [sp, #frame_x10 + 96]
    stp x24, x25, [sp, #frame_x10 + 112]
    stp x26, x27, [sp, #frame_x10 + 128]
    stp x28, x29, [sp, #frame_x10 + 144]
    mrs x0, elr_el1
    mrs x1, sp_el0
    stp x0, x1, [sp, #frame_ip]
    mrs x0, spsr_el1
    mrs x1, tpidr_el0
    stp x0, x1, [sp, #frame_x30 + 8]
    mrs x0, tpidr_el1
    mov sp, x0
    ret

// From boot code, on a processor's own stack.
.global start_processor
start_processor:
    bl processor_started
    b leave_kernel

// The stack may be what is broken: begin at its top again.
kernel_bug:
    mrs x0, tpidr_el1
    mov sp, x0
    mrs x0, esr_el1
    mrs x1, elr_el1
    mrs x2, far_el1
    b kernel_faulted

// Machine::save_fpu(FpuState&) and load_fpu. The compiler may not use these registers in the kernel.
.section .text.fpu, "ax"
.arch_extension fp
.arch_extension simd
.global _ZN5gemel4arch7Machine8save_fpuERNS0_8FpuStateE
_ZN5gemel4arch7Machine8save_fpuERNS0_8FpuStateE:
    st1 {v0.2d-v3.2d}, [x1], #64
    st1 {v4.2d-v7.2d}, [x1], #64
    st1 {v8.2d-v11.2d}, [x1], #64
    st1 {v12.2d-v15.2d}, [x1], #64
    st1 {v16.2d-v19.2d}, [x1], #64
    st1 {v20.2d-v23.2d}, [x1], #64
    st1 {v24.2d-v27.2d}, [x1], #64
    st1 {v28.2d-v31.2d}, [x1], #64
    mrs x2, fpcr
    mrs x3, fpsr
    stp x2, x3, [x1]
    ret

.global _ZN5gemel4arch7Machine8load_fpuERNS0_8FpuStateE
_ZN5gemel4arch7Machine8load_fpuERNS0_8FpuStateE:
    ld1 {v0.2d-v3.2d}, [x1], #64
    ld1 {v4.2d-v7.2d}, [x1], #64
    ld1 {v8.2d-v11.2d}, [x1], #64
    ld1 {v12.2d-v15.2d}, [x1], #64
    ld1 {v16.2d-v19.2d}, [x1], #64
    ld1 {v20.2d-v23.2d}, [x1], #64
    ld1 {v24.2d-v27.2d}, [x1], #64
    ld1 {v28.2d-v31.2d}, [x1], #64
    ldp x2, x3, [x1]
    msr fpcr, x2
    msr fpsr, x3
    ret

.section .data.stack, "aw"
// At the end of each stack is the processor's Machine::Processor, of 32 bytes.
.balign 4096
.global kernel_stacks
kernel_stacks:
    .fill 8 * 16384
