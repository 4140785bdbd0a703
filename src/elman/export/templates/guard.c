#if defined(__FAST_MATH__) || (defined(FLT_EVAL_METHOD) && (FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 2))
#error "floats must be rounded as IEEE 754 says: no -ffast-math, and on 32-bit x86 -msse2 -mfpmath=sse"
#endif
