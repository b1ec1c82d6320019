/* LTTng-UST events for the calls that the benchmark times: one when a call enters, with its arguments, one when it returns, with its
 * answer. What the interposer records, nothing more. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER cutape_bench

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./lttng_provider.h"

#if !defined(CUTAPE_BENCH_LTTNG_PROVIDER_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define CUTAPE_BENCH_LTTNG_PROVIDER_H

#include "calls.h"
#include <lttng/tracepoint.h>

#ifndef CUTAPE_BENCH_LAUNCH
#define CUTAPE_BENCH_LAUNCH
/* An event takes at most ten arguments. */
struct launch {
    uint64_t function, stream, parameters, extra;
    uint32_t grid[3], block[3], shared_bytes;
};
#endif

LTTNG_UST_TRACEPOINT_EVENT(cutape_bench, memset_enter, LTTNG_UST_TP_ARGS(uint64_t, to, uint32_t, value, uint64_t, count),
    LTTNG_UST_TP_FIELDS(
        lttng_ust_field_integer_hex(uint64_t, to, to)
        lttng_ust_field_integer(uint32_t, value, value)
        lttng_ust_field_integer(uint64_t, count, count)))

LTTNG_UST_TRACEPOINT_EVENT(cutape_bench, launch_enter, LTTNG_UST_TP_ARGS(const struct launch *, launch),
    LTTNG_UST_TP_FIELDS(
        lttng_ust_field_integer_hex(uint64_t, function, launch->function)
        lttng_ust_field_integer(uint32_t, grid_x, launch->grid[0])
        lttng_ust_field_integer(uint32_t, grid_y, launch->grid[1])
        lttng_ust_field_integer(uint32_t, grid_z, launch->grid[2])
        lttng_ust_field_integer(uint32_t, block_x, launch->block[0])
        lttng_ust_field_integer(uint32_t, block_y, launch->block[1])
        lttng_ust_field_integer(uint32_t, block_z, launch->block[2])
        lttng_ust_field_integer(uint32_t, shared_bytes, launch->shared_bytes)
        lttng_ust_field_integer_hex(uint64_t, stream, launch->stream)
        lttng_ust_field_integer_hex(uint64_t, parameters, launch->parameters)
        lttng_ust_field_integer_hex(uint64_t, extra, launch->extra)))

LTTNG_UST_TRACEPOINT_EVENT(cutape_bench, launch_ex_enter,
    LTTNG_UST_TP_ARGS(const launch_config *, config, void *, function, void **, parameters, void **, extra),
    LTTNG_UST_TP_FIELDS(
        lttng_ust_field_array(uint8_t, config, (const uint8_t *)config, 56)
        lttng_ust_field_integer_hex(uint64_t, function, (uint64_t)function)
        lttng_ust_field_integer_hex(uint64_t, parameters, (uint64_t)parameters)
        lttng_ust_field_integer_hex(uint64_t, extra, (uint64_t)extra)))

LTTNG_UST_TRACEPOINT_EVENT(cutape_bench, copy_2d_enter, LTTNG_UST_TP_ARGS(const copy_2d *, copy),
    LTTNG_UST_TP_FIELDS(lttng_ust_field_array(uint8_t, copy, (const uint8_t *)copy, 128)))

LTTNG_UST_TRACEPOINT_EVENT(cutape_bench, pointers_enter, LTTNG_UST_TP_ARGS(uint32_t, which, void *, first, void *, second),
    LTTNG_UST_TP_FIELDS(
        lttng_ust_field_integer(uint32_t, which, which)
        lttng_ust_field_integer_hex(uint64_t, first, (uint64_t)first)
        lttng_ust_field_integer_hex(uint64_t, second, (uint64_t)second)))

LTTNG_UST_TRACEPOINT_EVENT(cutape_bench, leave, LTTNG_UST_TP_ARGS(int, result),
    LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(int, result, result)))

LTTNG_UST_TRACEPOINT_EVENT(cutape_bench, leave_one, LTTNG_UST_TP_ARGS(int, result, uint64_t, first),
    LTTNG_UST_TP_FIELDS(
        lttng_ust_field_integer(int, result, result)
        lttng_ust_field_integer_hex(uint64_t, first, first)))

LTTNG_UST_TRACEPOINT_EVENT(cutape_bench, leave_two, LTTNG_UST_TP_ARGS(int, result, uint64_t, first, uint64_t, second),
    LTTNG_UST_TP_FIELDS(
        lttng_ust_field_integer(int, result, result)
        lttng_ust_field_integer_hex(uint64_t, first, first)
        lttng_ust_field_integer_hex(uint64_t, second, second)))

#endif

#include <lttng/tracepoint-event.h>
