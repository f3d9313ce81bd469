"""Run the test_* functions of one file under MicroPython: ``micropython mpy_runner.py FILE``.

Prints one line per function and exits with 1 if any failed. A function that returns a coroutine is awaited.
"""

import sys


def _run(path: str) -> int:
    folder, _, name = path.rpartition("/")
    sys.path.insert(0, folder or ".")
    module = __import__(name[:-3])
    failed = passed = 0
    for test in sorted(n for n in dir(module) if n.startswith("test_")):
        try:
            result = getattr(module, test)()
            if hasattr(result, "send") and hasattr(result, "throw"):
                import asyncio

                asyncio.run(result)
        except BaseException as e:  # noqa: BLE001  a test may fail with anything
            failed += 1
            print("FAILED", test)
            sys.print_exception(e)
        else:
            passed += 1
            print("passed", test)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


sys.exit(_run(sys.argv[1]))
