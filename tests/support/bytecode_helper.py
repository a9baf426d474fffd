"""Checks of CPython's instructions: only where `dis` shows them."""

import unittest

try:
    import dis
except ImportError:
    dis = None


def instructions_with_positions(instrs, co_positions):
    """Pairs of an instruction and its position, those of cache entries left out."""
    positions = iter(co_positions)
    for instr in instrs:
        yield instr, next(positions, ())
        for _, size, _ in instr.cache_info or ():
            for _ in range(size):
                next(positions, ())


class BytecodeTestCase(unittest.TestCase):
    def get_disassembly_as_string(self, co):
        import io

        text = io.StringIO()
        dis.dis(co, file=text)
        return text.getvalue()

    def assertInBytecode(self, x, opname, argval=...):
        for instr in dis.get_instructions(x):
            if instr.opname == opname and (argval is ... or instr.argval == argval):
                return instr
        self.fail(f"{opname} not found in bytecode:\n{self.get_disassembly_as_string(x)}")

    def assertNotInBytecode(self, x, opname, argval=...):
        for instr in dis.get_instructions(x):
            if instr.opname == opname and (argval is ... or instr.argval == argval):
                self.fail(f"{opname} occurs in bytecode:\n{self.get_disassembly_as_string(x)}")


class CompilationStepTestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise unittest.SkipTest("steps of CPython's compiler")


CodegenTestCase = CfgOptimizationTestCase = AssemblerTestCase = CompilationStepTestCase
