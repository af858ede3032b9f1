"""What medprog does on the card of this machine, in some eight minutes: `python nbs/benchmarks/gpu.py --out FOLDER`.
Parts write their CSV when they are done: correct, steps, fits, memory, slowest. `--tiny` tries it all on a CPU."""
import argparse,os,signal,subprocess,sys,time,warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
import numpy as np
import pandas as pd
import torch
import torchvision
from fastai.losses import CrossEntropyLossFlat
from fastai.data.core import DataLoaders
from fastai.torch_core import default_device,set_seed
from fastai.vision.learner import vision_learner
from torch import nn
from medprog.core import InputError
from medprog.schedule import get_schedule,Phase,Schedule,STAGES
from medprog.torch_core import fast_format
from medprog.data.table import read_table
from medprog.data.loaders import image_dls
from medprog.callback.precision import find_precision
from medprog.callback.unfreeze import set_phase
from medprog.learner import progressive_learner
from medprog.network.stages import get_stages
from medprog.train import SeedEpochs

# multiply-adds by tensor cores in 1e12 flops a second, dense, half precision, as NVIDIA's data sheets have them
PEAKS = {'H200': 989, 'H100': 989, 'A100': 312, 'L40S': 362, 'L4': 121, 'A10': 125, 'T4': 65, 'V100': 125, '4090': 165}

class Budget:
    "What is left of the time, and where the results go"
    def __init__(self, out, tiny, minutes=8):
        self.out,self.tiny,self.end = Path(out),tiny,time.monotonic()+60*minutes
        self.out.mkdir(parents=True, exist_ok=True)
        self.device = default_device()

    def write(self, name, rows):
        df = pd.DataFrame(rows)
        df.to_csv(self.out/f'{name}.csv', index=False)
        print(df.round(4).to_string(index=False), f"\n-> {self.out/name}.csv, {self.left:.0f} s left\n", flush=True)

    @property
    def left(self): return self.end-time.monotonic()

def waited(device):
    "Now, with all done that the card was given"
    if device.type=='cuda': torch.cuda.synchronize(device)
    return time.perf_counter()

def quiet(learn, *args, **kwargs):
    with learn.no_bar(), learn.no_logging(): learn.fit_progressive(*args, **kwargs)
    return learn

# ---- (a) is it right?

three = Schedule('three', (Phase('head', 0, 1), Phase('layer4', 1, 2), Phase('all', 2, 3)))

def small_fit(device, size, precision='fp32', **kwargs):
    "Weights after three phases, and the losses"
    set_seed(1)
    table = read_table('phantom', size=size)
    table = replace(table, df=table.df.groupby('split').head(64))
    dls = image_dls(table, bs=32, num_workers=0, device=device)
    learn = progressive_learner(dls, 'resnet18', weights='none', attention='cbam', precision=precision)
    quiet(learn, 3, three, lr=1e-3, cbs=SeedEpochs(1), **kwargs)
    weights = torch.cat([p.detach().cpu().flatten() for p in learn.model.parameters()])
    return weights,np.array(learn.recorder.values)[:,1]

def correct(b):
    "The same fits on CPU and card; a run that is killed and goes on; two processes on one card"
    size,rows = 32 if b.tiny else 64,[]
    ways = dict(phases={}, all=dict(mixup=.4, smoothing=.1, size_start=.5), cutmix=dict(mixup=1., mixing='cutmix'),
                cached=dict(cache_features=2, mixup=.4), fp16=dict(precision='fp16'), bf16=dict(precision='bf16'))
    for name,kw in ways.items():
        here,cpu = small_fit(b.device, size, **kw),small_fit('cpu', size, **kw | dict(precision='fp32'))
        off = ((here[0]-cpu[0]).norm()/cpu[0].norm()).item()
        rows.append(dict(what=name, weights_off=off, valid_loss_off=np.abs(here[1]-cpu[1]).max()))
    fits = [small_fit(b.device, size, deterministic=True, mixup=.4)[0] for _ in range(2)]
    rows.append(dict(what='deterministic, twice', weights_off=float((fits[0]-fits[1]).abs().max())))
    rows += [dict(what='killed and resumed', **killed(b, size)), dict(what='two processes', **two(b, size))]
    b.write('correct', rows)

def command(b, name, size, *flags, launch=()):
    given = dict(arch='resnet18', weights='none', size=size, epochs=3, batch_size=32)
    given |= dict(name=name, logdir=b.out/'logs')
    flags = [str(o) for k,v in given.items() for o in (f"--{k.replace('_', '-')}", v)]+list(flags)
    return [sys.executable, '-W', 'ignore', *launch, str(Path(__file__).resolve().parents[2]/'run_task2.py'), *flags]

def predicted(b, name):
    df = pd.read_csv(b.out/'logs'/name/'predictions.csv')
    return df[[c for c in df if c.startswith('p_')]].to_numpy()

def train_by(b, name, size, *flags, launch=()):
    asked,left = command(b, name, size, *flags, launch=launch),max(b.left, 1)
    try: done = subprocess.run(asked, capture_output=True, text=True, timeout=left)
    except subprocess.TimeoutExpired: return f'not done in the {left:.0f} s that were left'
    return '' if not done.returncode else (done.stderr or done.stdout)[-300:]

def killed(b, size):
    "How far a run that was killed is from one that wasn't"
    flags = '--deterministic','--checkpoint-minutes','0','--precision','fp32'
    why = train_by(b, 'whole', size, *flags)
    if why: return dict(error=why)
    process = subprocess.Popen(command(b, 'cut', size, *flags), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    state = b.out/'logs/cut/checkpoint.pt'
    while process.poll() is None and not state.exists(): time.sleep(.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    why = train_by(b, 'cut', size, *flags, '--resume')
    return dict(error=why) if why else dict(predictions_off=np.abs(predicted(b, 'whole')-predicted(b, 'cut')).max())

def two(b, size):
    "How far a run of two processes on one card is from one of one process"
    launch = '-m','torch.distributed.run','--nproc_per_node','2'
    why = train_by(b, 'two', size, '--precision', 'fp32', '--deterministic', launch=launch)
    return dict(error=why) if why else dict(predictions_off=np.abs(predicted(b, 'whole')-predicted(b, 'two')).max())

# ---- (b) what does a step cost?

def batch(b, n, size):
    x = torch.randn(n, 3, size, size, device=b.device).contiguous(memory_format=fast_format(b.device))
    return x,torch.randint(0, 2, (n,), device=b.device)

def timed(b, step, n):
    for _ in range(3): step()
    times = []
    for _ in range(n):
        start = waited(b.device)
        step()
        times.append(waited(b.device)-start)
    return float(np.median(times))

def step_of(net, opt, xb, dtype):
    loss = nn.CrossEntropyLoss()
    scaler = torch.amp.GradScaler(xb[0].device.type, enabled=dtype==torch.float16)
    def step():
        with torch.autocast(xb[0].device.type, dtype or torch.bfloat16, enabled=dtype is not None): out = net(xb[0])
        scaler.scale(loss(out.float(), xb[1])).backward()
        scaler.step(opt); scaler.update(); opt.zero_grad()
    return step

def learner(b, arch, n, size, **kwargs):
    items = list(zip(torch.randn(2*n, 3, size, size), torch.arange(2*n)%2))
    dls = DataLoaders.from_dsets(items, items, bs=n, num_workers=0, device=b.device)
    dls.c = 2
    return progressive_learner(dls, arch, weights='none', loss_func=CrossEntropyLossFlat(), **kwargs)

def steps(b):
    arch,n,size,times = ('resnet18', 4, 64, 2) if b.tiny else ('resnet50', 64, 224, 10)
    kinds = dict(fp32=None, bf16=torch.bfloat16, fp16=torch.float16)
    if b.device.type=='cpu': del kinds['fp16']                   # it imitates that, very slowly
    xb,rows = batch(b, n, size),[]
    flops = count_flops(b, arch, xb)
    for precision,dtype in kinds.items():
        learn = learner(b, arch, n, size)
        net = learn.model.to(b.device).train()
        for i,name in reversed(list(enumerate(STAGES))):
            set_phase(get_stages(learn), i)
            opt = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], fused=True)
            s = timed(b, step_of(net, opt, xb, dtype), times)
            rows.append(dict(what='medprog', precision=precision, learns=name if i else 'all', ms=1e3*s, images_s=n/s))
        for what,make in (('hand-tuned', hand_tuned), ('fastai', stock)):
            s = timed(b, make(b, arch, xb, dtype), times)
            rows.append(dict(what=what, precision=precision, learns='all', ms=1e3*s, images_s=n/s))
    name = torch.cuda.get_device_name(b.device) if b.device.type=='cuda' else 'cpu'
    peak = next((v for k,v in PEAKS.items() if k in name), None)
    for row in rows:
        if peak and row['precision']!='fp32' and row['learns']=='all': row['of_peak'] = flops/row['ms']/peak/1e9
    b.write('steps', rows)

def count_flops(b, arch, xb):
    from torch.utils.flop_counter import FlopCounterMode
    net = getattr(torchvision.models, arch)().to(b.device)
    with FlopCounterMode(display=False) as counter: net(xb[0]).sum().backward()
    return counter.get_total_flops()

def hand_tuned(b, arch, xb, dtype):
    "As one would write it by hand: channels last, autocast, torch's fused AdamW"
    net = getattr(torchvision.models, arch)(num_classes=2).to(b.device, memory_format=fast_format(b.device))
    return step_of(net, torch.optim.AdamW(net.parameters(), fused=True), xb, dtype)

def stock(b, arch, xb, dtype):
    "fastai as it comes, with `to_fp16` or `to_bf16`"
    items = list(zip(xb[0].cpu(), xb[1].cpu()))
    dls = DataLoaders.from_dsets(items, items, bs=len(items), num_workers=0, device=b.device)
    dls.c = 2
    learn = vision_learner(dls, getattr(torchvision.models, arch), pretrained=False, loss_func=CrossEntropyLossFlat())
    learn.unfreeze()
    if dtype is not None: learn = learn.to_bf16() if dtype==torch.bfloat16 else learn.to_fp16()
    net,opt = learn.model.to(b.device).train(),learn.create_opt() or learn.opt
    def step():
        with torch.autocast(b.device.type, dtype or torch.bfloat16, enabled=dtype is not None): out = net(xb[0])
        learn.loss_func(out.float(), xb[1]).backward()
        opt.step(); opt.zero_grad()
    return step

# ---- (c) where does the time of a fit go, and (d) how much memory does it take?

def fits(b):
    "`balanced` with its loaders, with and without cached features"
    arch,n,size,epochs = ('resnet18', 8, 32, 5) if b.tiny else ('resnet50', 64, 224, 10)
    table,rows,memory = read_table('phantom', size=size),[],[]
    if b.tiny: table = replace(table, df=table.df.groupby('split').head(32))
    for cached in (0, 2):
        set_seed(1)
        learn = progressive_learner(image_dls(table, bs=n, device=b.device), arch, weights='none')
        if b.device.type=='cuda': torch.cuda.reset_peak_memory_stats()
        start = waited(b.device)
        with profiled(b) as profile:
            quiet(learn, epochs, get_schedule('balanced').fitted(epochs, 'scale'), cache_features=cached)
        seconds = waited(b.device)-start
        images = epochs*len(learn.dls.train_ds)
        rows.append(dict(cached=cached, seconds=seconds, images_s=images/seconds, **where(b, profile, seconds)))
        if b.device.type=='cuda': memory.append(dict(cached=cached, peak_gb=torch.cuda.max_memory_allocated()/1e9))
        if not cached: slowest(b, profile)
    b.write('fits', rows)
    if memory: b.write('memory', memory)

@contextmanager
def profiled(b):
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if b.device.type=='cuda': kinds.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=kinds) as profile: yield profile

def _busy(o): return getattr(o, 'self_device_time_total', 0)/1e6

def where(b, profile, seconds):
    "The share of the time that the card works"
    if b.device.type!='cuda': return {}
    busy = sum(map(_busy, profile.key_averages()))
    return dict(card_works=busy/seconds, gaps=1-busy/seconds)

def slowest(b, profile):
    of = _busy if b.device.type=='cuda' else lambda o: o.self_cpu_time_total/1e6
    top = sorted(profile.key_averages(), key=of, reverse=True)[:10]
    b.write('slowest', [dict(operation=o.key[:60], seconds=of(o), calls=o.count) for o in top])

def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--out', required=True)
    p.add_argument('--tiny', action='store_true', help='small enough for a CPU')
    p.add_argument('--parts', default='correct,steps,fits')
    given = p.parse_args()
    warnings.filterwarnings('ignore')
    b = Budget(given.out, given.tiny)
    device = torch.cuda.get_device_name(b.device) if b.device.type=='cuda' else str(b.device)
    auto = find_precision('auto', b.device)
    print(f"{device}, torch {torch.__version__}, {os.cpu_count()} cores, auto is {auto}\n", flush=True)
    for name in given.parts.split(','):
        if b.left<0: raise SystemExit(f"{name} and what comes after it are left out: the time is over")
        try: globals()[name](b)
        except (RuntimeError, InputError) as e: print(f"{name} failed: {e}", file=sys.stderr, flush=True)

if __name__=='__main__': main()
