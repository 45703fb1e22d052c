// The Image header and the way to the kernel's addresses: Linux' arm64 boot protocol
// (Documentation/arch/arm64/booting.rst). Entered at EL1 or EL2 with the MMU off, x0 the device tree.
// Everything here is addressed from the program counter until the MMU is on.

.set memory_attributes, 0x44FF00        // MAIR: 0 device nGnRnE, 1 write-back, 2 not cacheable
.set early_block, 0x705                 // write-back, inner shareable, accessed, valid block
.set table_entry, 3
.set early_image_blocks, 16             // 2 MiB each

// Two 48-bit halves, 4 KiB granule, tables cached and inner shareable.
.set translation_control, (16 | 16 << 16 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 24 | 1 << 26 | 3 << 28 | 2 << 30)

// MMU, caches, stack alignment at EL1 and EL0, EOS, EIS, DC ZVA, CTR and WFE at EL0, cache
// maintenance by EL0, and the bits that are 1 on processors without their feature.
.set system_control, (1 << 0 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 11 | 1 << 12 | 1 << 14 | 1 << 15 | 1 << 18 | 1 << 20 | 1 << 22 | 1 << 26 | 1 << 28 | 1 << 29)
.set privileged_access_kept, 1 << 23    // SPAN: exceptions leave PSTATE.PAN alone

.section .init.head, "ax"
.global image_head
image_head:
    b start
    .word 0
    .quad 0                             // offset from a 2 MiB boundary
    .quad image_bytes
    .quad 0xA                           // little-endian, 4 KiB pages, anywhere in memory
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .word 0

    // Another processor, from PSCI: x0 is its number.
.global start_other
start_other:
    mov x21, #1
    b 1f
start:
    mov x21, #0
1:  msr daifset, #0xF
    mov x20, x0
    mrs x0, CurrentEL
    cmp x0, #(2 << 2)
    b.ne at_el1

    // A hypervisor's level: hand everything to EL1 and go there.
    mov x0, #(1 << 31)                  // HCR_EL2.RW: EL1 is AArch64
    msr hcr_el2, x0
    mov x0, #3                          // physical counter and timer
    msr cnthctl_el2, x0
    msr cntvoff_el2, xzr
    mov x0, #0x33FF                     // no traps of FPU
    msr cptr_el2, x0
    msr hstr_el2, xzr
    msr vttbr_el2, xzr
    mrs x0, midr_el1
    msr vpidr_el2, x0
    mrs x0, mpidr_el1
    msr vmpidr_el2, x0
    mrs x0, id_aa64dfr0_el1
    ubfx x0, x0, #8, #4                 // performance monitors: all counters to EL1
    sub x1, x0, #1
    cmp x1, #0xE
    mov x0, #0
    b.hs 1f                             // none, or of another kind
    mrs x0, pmcr_el0
    ubfx x0, x0, #11, #5
1:  msr mdcr_el2, x0
    mrs x0, id_aa64pfr0_el1
    ubfx x0, x0, #24, #4                // GIC system registers
    cbz x0, 2f
    mrs x0, S3_4_C12_C9_5               // ICC_SRE_EL2
    mov x1, #9                          // use them, EL1 may too
    orr x0, x0, x1
    msr S3_4_C12_C9_5, x0
    isb
    msr S3_4_C12_C11_0, xzr             // ICH_HCR_EL2
2:  ldr x0, =0x30D00800                 // SCTLR_EL1: everything off
    msr sctlr_el1, x0
    mov x0, #0x3C5                      // EL1h, all masked
    msr spsr_el2, x0
    adr x0, at_el1
    msr elr_el2, x0
    eret

    // Tables that hold until boot has made the kernel's own: the gigabytes of the image and of the
    // device tree, at their own addresses and in the direct map at once; and the image, in blocks.
at_el1:
    adrp x19, image_head
    adrp x1, early_tables               // root
    cbnz x21, tables_are_there
    add x2, x1, #0x1000                 // 1 GiB blocks
    add x3, x1, #0x2000                 // the last 512 GiB
    add x4, x1, #0x3000                 // the image
    ubfx x5, x19, #39, #9
    orr x6, x2, #table_entry
    str x6, [x1, x5, lsl #3]
    orr x6, x3, #table_entry
    str x6, [x1, #(511 * 8)]
    orr x6, x4, #table_entry
    str x6, [x3, #(510 * 8)]
    mov x7, #early_block
    mov x8, x19
    bl map_gigabyte
    mov x8, x20
    bl map_gigabyte
    add x8, x20, #(2 << 20)             // a device tree is at most 2 MiB
    bl map_gigabyte
    orr x6, x19, x7
    mov x5, #0
3:  str x6, [x4, x5, lsl #3]
    add x6, x6, #(2 << 20)
    add x5, x5, #1
    cmp x5, #early_image_blocks
    b.ne 3b

    // Written past the caches: what the caches hold of them is stale.
    dmb sy
    add x5, x1, #0x4000
    mov x6, x1
4:  dc ivac, x6
    add x6, x6, #16
    cmp x6, x5
    b.ne 4b
    dsb sy

tables_are_there:
    ldr x5, =memory_attributes
    msr mair_el1, x5
    ldr x5, =translation_control
    mrs x6, id_aa64mmfr0_el1
    and x6, x6, #7                      // size of physical addresses, at most 48 bits
    cmp x6, #5
    mov x7, #5
    csel x6, x6, x7, ls
    orr x5, x5, x6, lsl #32
    msr tcr_el1, x5
    msr ttbr0_el1, x1
    msr ttbr1_el1, x1
    mov x5, #(3 << 20)                  // FPU and SIMD for everyone
    msr cpacr_el1, x5
    mov x5, #2                          // the virtual counter is readable at EL0
    msr cntkctl_el1, x5
    msr mdscr_el1, xzr
    msr tpidrro_el0, xzr
    mrs x5, id_aa64dfr0_el1
    ubfx x5, x5, #8, #4                 // performance monitors: none, or of another kind
    sub x6, x5, #1
    cmp x6, #0xE
    b.hs 6f
    msr pmuserenr_el0, xzr              // not for EL0
6:
    isb
    tlbi vmalle1
    ic iallu
    dsb sy
    isb
    ldr x5, =system_control
    mrs x6, id_aa64mmfr1_el1
    ubfx x6, x6, #20, #4                // PAN
    cbnz x6, 5f
    orr x5, x5, #privileged_access_kept
5:  msr sctlr_el1, x5
    isb
    ldr x5, =at_kernel_address
    br x5

// x8: an address; x2: table of gigabytes; x7: attributes. Changes x9, x10.
map_gigabyte:
    and x9, x8, #~((1 << 30) - 1)
    ubfx x10, x8, #30, #9
    orr x9, x9, x7
    str x9, [x2, x10, lsl #3]
    ret

at_kernel_address:
    ldr x5, =exception_vectors
    msr vbar_el1, x5
    ldr x5, =(kernel_stacks + 16384 - 32)
    mov x29, xzr
    mov x30, xzr
    cbnz x21, other_at_kernel_address
    msr tpidr_el1, x5
    mov sp, x5
    mov x0, x20
    mov x1, x19
    b boot_main

other_at_kernel_address:
    add x5, x5, x20, lsl #14
    msr tpidr_el1, x5
    mov sp, x5
    ldr x6, =other_roots
    ldp x6, x7, [x6]
    msr ttbr1_el1, x6
    msr ttbr0_el1, x7
    isb
    tlbi vmalle1
    dsb nsh
    isb
    mov x0, x20
    bl boot_other
    b start_processor

.section .init.tables, "aw"
.global other_roots                     // the kernel's tables and the empty ones
.balign 16
other_roots:
    .quad 0, 0
.balign 4096
early_tables:
    .fill 4 * 4096
