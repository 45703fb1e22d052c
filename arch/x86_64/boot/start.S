// The first instructions: the loaders' headers, 32-bit code up to long mode, then C++.
// It runs at its physical address until the jump into the image; `physical` turns one into the other.

.set image_base, 0xFFFFFFFF80000000
.set direct_map_entry, 256
#define physical(symbol) ((symbol) - image_base)

.set multiboot2_magic, 0xE85250D6
.set architecture_i386, 0
.set xen_entry_note, 18

// Multiboot2 specification 3.1.2; modules page aligned, because init maps the bundle.
.section .init.header, "a"
.balign 8
header:
    .long multiboot2_magic, architecture_i386, header_end - header
    .long -(multiboot2_magic + architecture_i386 + (header_end - header))
    .short 6, 0
    .long 8
    .short 0, 0
    .long 8
header_end:

// XEN_ELFNOTE_PHYS32_ENTRY: where QEMU's -kernel starts us.
.section .note.pvh, "a", @note
.balign 4
    .long 4, 4, xen_entry_note
    .asciz "Xen"
    .long physical(pvh_start)

.section .init.start, "ax"
.code32
.globl gemel_start
pvh_start:
    xor %eax, %eax
gemel_start: // eax: the loader's magic, ebx: its information
    cli
    cld
    mov %eax, %edi
    mov %ebx, %esi
    mov $physical(gemel_kernel_stacks) + 16384, %esp

    mov $0x80000001, %eax // long mode and no-execute, or this is not our machine
    push %ebx
    cpuid
    pop %ebx
    and $(1 << 29 | 1 << 20), %edx
    cmp $(1 << 29 | 1 << 20), %edx
    jne too_old

    // 4 GiB in 2 MiB pages, at 0, in the direct map's place and at the image's.
    mov $physical(bootstrap_directories), %edx
    mov $0x83, %eax
    xor %ecx, %ecx
1:  mov %eax, (%edx, %ecx, 8)
    add $0x200000, %eax
    inc %ecx
    cmp $2048, %ecx
    jne 1b
    mov $physical(bootstrap_directories) + 3, %eax
    mov $physical(bootstrap_pointers), %edx
    mov %eax, 510 * 8(%edx)
    xor %ecx, %ecx
2:  mov %eax, (%edx, %ecx, 8)
    add $0x1000, %eax
    inc %ecx
    cmp $4, %ecx
    jne 2b
    lea 3(%edx), %eax
    mov $physical(bootstrap_root), %edx
    mov %eax, (%edx)
    mov %eax, direct_map_entry * 8(%edx)
    mov %eax, 511 * 8(%edx)

    mov $(1 << 7 | 1 << 5), %eax // CR4: global pages, physical address extension
    mov %eax, %cr4
    mov %edx, %cr3
    mov $0xC0000080, %ecx // EFER: no-execute, long mode, system calls
    rdmsr
    or $(1 << 11 | 1 << 8 | 1 << 0), %eax
    wrmsr
    mov $0x80010033, %eax // CR0: paging, write protection, native FPU errors
    mov %eax, %cr0
    lgdt physical(bootstrap_segments)
    ljmp $8, $physical(long_mode)

too_old:
    mov $physical(too_old_text), %esi
1:  lodsb
    test %al, %al
    jz 2f
    mov $0x3F8, %dx
    out %al, %dx
    jmp 1b
2:  cli
    hlt
    jmp 2b

.code64
long_mode:
    mov $in_image, %rax
    jmp *%rax
in_image:
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov $0x10, %eax
    mov %eax, %ss
    mov $gemel_kernel_stacks + 16384, %rsp
    mov %edi, %edi
    mov %esi, %esi
    call gemel_boot
    mov %eax, %edi
    jmp gemel_started

// Another processor, started at the first byte of a page below 1 MiB (Intel SDM volume 3, 9.4.4), to which
// this is copied: to 64-bit mode by the first processor's tables, then onto a stack of its own.
.globl gemel_cpu_begin, gemel_cpu_end, gemel_cpu_stack, gemel_cpu_root
.code16
gemel_cpu_begin:
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    lgdtl cpu_segments - gemel_cpu_begin
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl *(cpu_far - gemel_cpu_begin)
.balign 4
cpu_far:
    .long physical(cpu_protected)
    .short 0x18
cpu_segments: // the bootstrap's own: flat 32-bit code and data
    .short 5 * 8 - 1
    .long physical(cpu_descriptors)
gemel_cpu_end:

.code32
cpu_protected:
    mov $0x20, %eax
    mov %eax, %ds
    mov %eax, %ss
    mov $(1 << 7 | 1 << 5), %eax
    mov %eax, %cr4
    mov $physical(bootstrap_root), %eax
    mov %eax, %cr3
    mov $0xC0000080, %ecx
    rdmsr
    or $(1 << 11 | 1 << 8 | 1 << 0), %eax
    wrmsr
    mov $0x80010033, %eax
    mov %eax, %cr0
    lgdt physical(bootstrap_segments)
    ljmp $8, $physical(cpu_long_mode)
.code64
cpu_long_mode:
    mov $cpu_in_image, %rax
    jmp *%rax
cpu_in_image:
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov $0x10, %eax
    mov %eax, %ss
    mov gemel_cpu_root(%rip), %rax
    mov %rax, %cr3
    mov gemel_cpu_stack(%rip), %rsp
    call gemel_boot_cpu
    jmp gemel_cpu_started

.section .init.data, "aw"
.balign 8
cpu_descriptors:
    .quad 0, 0, 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
gemel_cpu_stack:
    .quad 0
gemel_cpu_root:
    .quad 0
too_old_text:
    .asciz "gemel: this processor has no 64-bit mode with no-execute pages\r\n"
.balign 8
bootstrap_segments:
    .short (5 + 2 * 8) * 8 - 1
    .long physical(gemel_segments)

.balign 4096
bootstrap_root:
    .skip 4096
bootstrap_pointers:
    .skip 4096
bootstrap_directories:
    .skip 4 * 4096

// The segments stay: null, kernel code and data, user data and code, the task states.
.section .data
.globl gemel_segments
.balign 8
gemel_segments:
    .quad 0, 0x00AF9A000000FFFF, 0x00CF92000000FFFF, 0x00CFF2000000FFFF, 0x00AFFA000000FFFF
    .skip 2 * 8 * 8

.section .note.GNU-stack, "", @progbits
