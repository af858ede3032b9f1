"The runs of a study: carried out by some processes, each once, kept as files, and gone on with where they stopped"
import json,os,time,warnings
import multiprocessing as mp
import numpy as np

def _mine(job, folder):
    "Has nobody begun it? Then it is this process's"
    if (folder/f'{job.name}.npz').exists(): return False
    try: (folder/f'{job.name}.lock').touch(exist_ok=False)
    except FileExistsError: return False
    return True

def _work_on(folder, jobs, carry_out, told):
    "Carry out what nobody has begun"
    warnings.filterwarnings('ignore')
    import torch
    torch.set_num_threads(1)
    while os.getppid()==mp.parent_process().pid and (job := next((o for o in jobs() if _mine(o, folder)), None)):
        path,lock = folder/f'{job.name}.npz',folder/f'{job.name}.lock'
        facts,arrays = carry_out(job)
        facts = {**job._asdict(), **facts, 'torch': torch.__version__}
        with open(part := folder/f'{job.name}.part', 'wb') as f: np.savez(f, facts=json.dumps(facts), **arrays)
        os.replace(part, path)
        lock.unlink()
        print(f"{time.strftime('%T')} {job.name} {told(facts)}", flush=True)

def work_off(folder, n, jobs, carry_out, told):
    """Carry out those of `jobs()` that are not in `folder`, in order, `n` at a time, one thread each; `carry_out` of a
    job gives facts and arrays, and `told` of the facts what is printed; all can be pickled. Returns the exit code"""
    for o in folder.glob('*.lock'): o.unlink()                 # of a life before
    args = folder,jobs,carry_out,told
    ps = [mp.get_context('spawn').Process(target=_work_on, args=args) for _ in range(n)]
    for p in ps: p.start()
    for p in ps: p.join()
    return any(p.exitcode for p in ps)

def collect(folder, path, tables):
    """All runs of a folder as one file: facts, arrays in half precision, and of each of `tables`, by name, the classes,
    the truth and the patients, without images or names"""
    done = {o.stem: np.load(o) for o in sorted(folder.glob('*.npz'))}
    arrays = {f'{k}/{o}': v[o].astype('float16') for k,v in done.items() for o in v.files if o!='facts'}
    for k,t in tables.items():
        for split in ('valid', 'test'):
            rows = t.df[t.df.split==split]
            arrays[f'{k}/{split}/targets'] = t.targets(split).astype('uint8')
            arrays[f'{k}/{split}/patients'] = rows.patient.factorize()[0].astype('uint16')
        arrays[f'{k}/classes'] = np.array(t.classes)
    np.savez_compressed(path, facts=json.dumps([json.loads(str(o['facts'])) for o in done.values()]), **arrays)
