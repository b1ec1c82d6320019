/* A module with one kernel that does nothing, in PTX that every driver since CUDA 12.0 accepts. */
#ifndef CUTAPE_TEST_KERNEL_H
#define CUTAPE_TEST_KERNEL_H

#define KERNEL_NAME "do_nothing"

static const char kernel_image[] = ".version 8.0\n"
                                   ".target sm_70\n"
                                   ".address_size 64\n"
                                   ".visible .entry do_nothing()\n"
                                   "{\n"
                                   "    ret;\n"
                                   "}\n";

#endif
