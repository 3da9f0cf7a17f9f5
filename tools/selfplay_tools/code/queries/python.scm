; Definitions of Python. How a capture's name is read: docs/languages.md.

(class_definition name: (identifier) @name) @class
(function_definition name: (identifier) @name) @function

(type_alias_statement left: (type (identifier) @name)) @type
(type_alias_statement left: (type (generic_type (identifier) @name))) @type

; Names of the module, also those that stand under `if`, `try`, `with` or `for` there.
(module (expression_statement (assignment left: [
  (identifier) @name
  (pattern_list (identifier) @name)
  (tuple_pattern (identifier) @name)
]) @variable))
(module (_ (block (expression_statement (assignment left: [
  (identifier) @name
  (pattern_list (identifier) @name)
]) @variable))))
(module (_ (_ (block (expression_statement (assignment left: (identifier) @name) @variable)))))

; Of a class, constants only.
(class_definition body: (block (expression_statement (assignment left: (identifier) @name) @variable)))

(decorated_definition definition: (_) @inner) @outer
