// tests/support/vectors.hpp for arm64. 512 bytes of vectors, FPCR, FPSR.
.set control, 512
.set words, 96

.text
.arch_extension fp
.arch_extension simd
.global gemel_vectors_hold, gemel_vectors_allow

gemel_vectors_hold: // x0 in, x1 out, x2 turns
    stp d8, d9, [sp, #-64]!
    stp d10, d11, [sp, #16]
    stp d12, d13, [sp, #32]
    stp d14, d15, [sp, #48]
    mrs x9, fpcr
    mrs x10, fpsr
    mov x3, #words                      // what no register fills comes out as it went in
    mov x4, x0
    mov x5, x1
1:  ldr x6, [x4], #8
    str x6, [x5], #8
    subs x3, x3, #1
    b.ne 1b
    add x3, x0, #control
    ldp x4, x5, [x3]
    msr fpcr, x4
    msr fpsr, x5
    ld1 {v0.2d, v1.2d, v2.2d, v3.2d}, [x0], #64
    ld1 {v4.2d, v5.2d, v6.2d, v7.2d}, [x0], #64
    ld1 {v8.2d, v9.2d, v10.2d, v11.2d}, [x0], #64
    ld1 {v12.2d, v13.2d, v14.2d, v15.2d}, [x0], #64
    ld1 {v16.2d, v17.2d, v18.2d, v19.2d}, [x0], #64
    ld1 {v20.2d, v21.2d, v22.2d, v23.2d}, [x0], #64
    ld1 {v24.2d, v25.2d, v26.2d, v27.2d}, [x0], #64
    ld1 {v28.2d, v29.2d, v30.2d, v31.2d}, [x0], #64
    cbz x2, 3f
2:  subs x2, x2, #1
    b.ne 2b
3:  add x3, x1, #control
    st1 {v0.2d, v1.2d, v2.2d, v3.2d}, [x1], #64
    st1 {v4.2d, v5.2d, v6.2d, v7.2d}, [x1], #64
    st1 {v8.2d, v9.2d, v10.2d, v11.2d}, [x1], #64
    st1 {v12.2d, v13.2d, v14.2d, v15.2d}, [x1], #64
    st1 {v16.2d, v17.2d, v18.2d, v19.2d}, [x1], #64
    st1 {v20.2d, v21.2d, v22.2d, v23.2d}, [x1], #64
    st1 {v24.2d, v25.2d, v26.2d, v27.2d}, [x1], #64
    st1 {v28.2d, v29.2d, v30.2d, v31.2d}, [x1], #64
    mrs x4, fpcr
    mrs x5, fpsr
    stp x4, x5, [x3]
    msr fpcr, x9
    msr fpsr, x10
    ldp d10, d11, [sp, #16]
    ldp d12, d13, [sp, #32]
    ldp d14, d15, [sp, #48]
    ldp d8, d9, [sp], #64
    ret

gemel_vectors_allow: // x0; rounding, flushing and default NaN, and the cumulative flags
    add x3, x0, #control
    ldp x4, x5, [x3]
    and x4, x4, #0x3C00000
    mov x6, #0x9F
    and x5, x5, x6
    stp x4, x5, [x3]
    ret
.section .note.GNU-stack, "", %progbits
