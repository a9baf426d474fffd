"""Comparing trees."""

import ast


class ASTTestMixin:
    def assertASTEqual(self, ast1, ast2):
        """The same classes and fields, all the way down."""

        def check(one, other, path):
            self.assertIs(type(one), type(other), path)
            if isinstance(one, ast.AST):
                for field in one._fields:
                    missing = object()
                    left, right = getattr(one, field, missing), getattr(other, field, missing)
                    if left is missing or right is missing:
                        self.assertEqual(left is missing, right is missing, f"{path}.{field}")
                    else:
                        check(left, right, f"{path}.{field}")
            elif isinstance(one, list):
                self.assertEqual(len(one), len(other), path)
                for i, (left, right) in enumerate(zip(one, other)):
                    check(left, right, f"{path}[{i}]")
            else:
                self.assertEqual(one, other, path)

        check(ast1, ast2, "tree")
