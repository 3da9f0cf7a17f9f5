; Definitions that C and C++ have in common. The name stands inside the declarator, at any depth.

(function_definition declarator: (_) @declarator) @function

(struct_specifier name: (_) @name body: (_)) @struct
(union_specifier name: (_) @name body: (_)) @union
(enum_specifier name: (_) @name body: (_)) @enum
(type_definition declarator: (_) @declarator) @type

(preproc_def name: (identifier) @name) @macro
(preproc_function_def name: (identifier) @name) @macro

; Prototypes, and variables of the file, also under `#if` and in `extern "C"`.
(translation_unit (declaration declarator: (_) @declarator) @variable)
(preproc_if (declaration declarator: (_) @declarator) @variable)
(preproc_ifdef (declaration declarator: (_) @declarator) @variable)
(preproc_else (declaration declarator: (_) @declarator) @variable)
(preproc_elif (declaration declarator: (_) @declarator) @variable)
(declaration_list (declaration declarator: (_) @declarator) @variable)
