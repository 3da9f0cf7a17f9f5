; Definitions of Ruby.

(class name: (_) @name) @class
(module name: (_) @name) @module
(method name: (_) @name) @function
(singleton_method object: (_) @owner name: (_) @name) @function
(alias name: (_) @name) @function
(call
  method: (identifier) @verb
  arguments: (argument_list (simple_symbol) @name)
  (#any-of? @verb "attr_reader" "attr_writer" "attr_accessor" "attr")) @function
(call
  method: (identifier) @verb
  arguments: (argument_list . (simple_symbol) @name)
  (#any-of? @verb "define_method" "define_singleton_method" "alias_method" "delegate")) @function

(assignment
  left: (constant) @name
  right: (call receiver: (constant) @verb method: (identifier) block: (_) @body)
  (#any-of? @verb "Struct" "Class" "Module" "Data")) @class
(assignment left: [(constant) (scope_resolution)] @name) @constant
