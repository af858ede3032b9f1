"What the benchmarks say of the machine that they ran on"
import platform

def processor_name():
    "As the system knows it"
    try: return next(o.split(':')[1].strip() for o in open('/proc/cpuinfo') if o.startswith('model name'))
    except (OSError,StopIteration): return platform.processor() or platform.machine()
