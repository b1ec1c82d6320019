/* What linked.c is linked to: the names and the SONAME of the driver (-shared -Wl,-soname,libcuda.so.1), never loaded at run time. */
int cuInit(void);
int cuDriverGetVersion(void);
int cuDeviceGetCount(void);
int cuMemGetInfo_v2(void);

int cuInit(void)
{
    return 999;
}

int cuDriverGetVersion(void)
{
    return 999;
}

int cuDeviceGetCount(void)
{
    return 999;
}

int cuMemGetInfo_v2(void)
{
    return 999;
}
