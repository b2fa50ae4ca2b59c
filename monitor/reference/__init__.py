"""Files of `config/` -> core types, each with its digest and the date from which it holds.

Here: finding the folder (`root`) and one loader a kind of file, which checks what people wrote and answers in
sentences. Not here: what the core concludes from it (`monitor.core`), nor the settings of a deployment
(`monitor.settings`).
"""
