"""The demo company: an invented Russian B2B sales department as a raw zone.

`python -m seeds.demo --help` lists the arguments. One department is simulated day by day
(`sales`, `calls`, `touches`, then `dealers`), turned into exports (`exports`), soiled (`dirt`)
and written (`writer`); a larger scale repeats the department with other people, contacts and
phones.
"""
